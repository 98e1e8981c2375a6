// wire.h: many connections of the ZooKeeper client protocol on one epoll.
//
// The program that includes it says what follows a reply (on_frame) and a lost connection (on_lost).
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "meter.h"

enum { OP_CREATE = 1, OP_DELETE = 2, OP_EXISTS = 3, OP_GET = 4, OP_SET = 5, OP_CHILDREN = 8, OP_PING = 11, OP_MULTI = 14, OP_CLOSE = -11 };
enum { NO_NODE = -101, NODE_EXISTS = -110 };

typedef struct { int32_t xid, tag; uint64_t at; } Flight;
typedef struct {
  int fd, up, index;
  uint8_t *in; size_t in_len, in_cap;
  uint8_t *out; size_t out_len, out_off, out_cap;
  Flight *flight; unsigned head, tail;   // a ring of `ring` slots: the requests without a reply
  int32_t next_xid;
  int armed;                             // waits until it can write
  int64_t session; uint8_t password[16]; // session 0 asks for a new one
} Conn;

static struct sockaddr_in targets[16];
static int target_count, session_ms = 30000;
static unsigned ring;
static int epfd;

static void on_frame(Conn *c, const uint8_t *p, int len, uint64_t t);
static void on_lost(Conn *c);

static void die(const char *what) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(1); }

// MARK: writing a request

static void need(Conn *c, size_t n) {
  if (c->out_off == c->out_len) c->out_off = c->out_len = 0;
  if (c->out_len + n <= c->out_cap) return;
  memmove(c->out, c->out + c->out_off, c->out_len - c->out_off); c->out_len -= c->out_off; c->out_off = 0;
  while (c->out_len + n > c->out_cap) c->out_cap = c->out_cap ? c->out_cap * 2 : 65536;
  c->out = realloc(c->out, c->out_cap);
  if (!c->out) die("memory");
}
static void p8(Conn *c, int v) { c->out[c->out_len++] = (uint8_t)v; }
static void p32(Conn *c, int32_t v) { uint32_t b = htonl((uint32_t)v); memcpy(c->out + c->out_len, &b, 4); c->out_len += 4; }
static void p64(Conn *c, int64_t v) { p32(c, (int32_t)(v >> 32)); p32(c, (int32_t)v); }
static void pbuf(Conn *c, const void *b, int n) { p32(c, n); memcpy(c->out + c->out_len, b, (size_t)n); c->out_len += (size_t)n; }
static void pstr(Conn *c, const char *s) { pbuf(c, s, (int)strlen(s)); }
static int32_t g32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return (int32_t)ntohl(v); }
static int64_t g64(const uint8_t *p) { return ((int64_t)g32(p) << 32) | (uint32_t)g32(p + 4); }
static size_t begin(Conn *c, size_t room) { need(c, room + 64); size_t at = c->out_len; c->out_len += 4; return at; }
static void finish(Conn *c, size_t at) { uint32_t n = htonl((uint32_t)(c->out_len - at - 4)); memcpy(c->out + at, &n, 4); }
static void track(Conn *c, int32_t xid, int32_t tag, uint64_t t) { c->flight[c->head % ring] = (Flight){xid, tag, t}; c->head++; }

static void send_path(Conn *c, int op, const char *path, int watch, uint64_t t) {  // getData, exists, getChildren
  size_t at = begin(c, 256); int32_t xid = c->next_xid++;
  p32(c, xid); p32(c, op); pstr(c, path); p8(c, watch); finish(c, at); track(c, xid, 0, t);
}
static void send_delete(Conn *c, const char *path, int32_t tag, uint64_t t) {
  size_t at = begin(c, 256); int32_t xid = c->next_xid++;
  p32(c, xid); p32(c, OP_DELETE); pstr(c, path); p32(c, -1); finish(c, at); track(c, xid, tag, t);
}
static void send_create(Conn *c, const char *path, const uint8_t *value, int size, int flags, int32_t tag, uint64_t t) {
  size_t at = begin(c, 512 + (size_t)size); int32_t xid = c->next_xid++;
  p32(c, xid); p32(c, OP_CREATE); pstr(c, path); pbuf(c, value, size);
  p32(c, 1); p32(c, 31); pstr(c, "world"); pstr(c, "anyone"); p32(c, flags);
  finish(c, at); track(c, xid, tag, t);
}
static void send_simple(Conn *c, int op, int32_t xid, uint64_t t) {  // ping, closeSession
  size_t at = begin(c, 16); p32(c, xid); p32(c, op); finish(c, at); track(c, xid, 0, t);
}

// MARK: the socket

static void arm(Conn *c, int want_out) {
  if (c->armed == want_out) return;
  struct epoll_event ev = {.events = EPOLLIN | (want_out ? EPOLLOUT : 0u), .data.ptr = c};
  epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev); c->armed = want_out;
}
static void flush_out(Conn *c) {
  while (c->out_off < c->out_len) {
    ssize_t n = write(c->fd, c->out + c->out_off, c->out_len - c->out_off);
    if (n < 0) { if (errno == EAGAIN) { arm(c, 1); return; } return; }
    c->out_off += (size_t)n;
  }
  arm(c, 0);
}
static void dial(Conn *c) {
  if (c->fd > 0) close(c->fd);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); if (c->fd < 0) die("socket");
  int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in *t = &targets[c->index % target_count];
  if (connect(c->fd, (struct sockaddr *)t, sizeof *t) < 0 && errno != EINPROGRESS) die("connect");
  c->in_len = c->out_len = c->out_off = 0; c->head = c->tail = 0; c->up = 0; c->next_xid = 1; c->armed = 1;
  struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0) die("epoll_ctl");
  size_t at = begin(c, 64);
  p32(c, 0); p64(c, 0); p32(c, session_ms); p64(c, c->session); pbuf(c, c->password, 16); p8(c, 0);
  finish(c, at);
}
// The first frame of a connection: the session.
static void greet(Conn *c, const uint8_t *p, int len) {
  if (len < 36 || g32(p + 4) <= 0) { fprintf(stderr, "session refused\n"); exit(1); }
  c->up = 1; c->session = g64(p + 8); memcpy(c->password, p + 20, 16);
}
static void on_readable(Conn *c) {
  for (;;) {
    if (c->in_cap - c->in_len < 65536) {
      c->in_cap = c->in_cap ? c->in_cap * 2 : 262144;
      c->in = realloc(c->in, c->in_cap); if (!c->in) die("memory");
    }
    ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    if (n == 0 || (n < 0 && errno != EAGAIN)) { on_lost(c); return; }
    if (n < 0) break;
    c->in_len += (size_t)n;
    size_t off = 0; uint64_t t = now_ns();
    while (c->in_len - off >= 4) {
      int len = g32(c->in + off);
      if (len < 0) { fprintf(stderr, "a frame of %d bytes\n", len); exit(1); }
      if (c->in_len - off - 4 < (size_t)len) break;
      on_frame(c, c->in + off + 4, len, t); off += 4 + (size_t)len;
    }
    memmove(c->in, c->in + off, c->in_len - off); c->in_len -= off;
    if (c->in_len < 32768) break;
  }
}

// MARK: staying

enum { PING_XID = -2 };
static void ping(Conn *c, uint64_t t) { send_simple(c, OP_PING, PING_XID, t); flush_out(c); }
// To be called often: sessions that have nothing else to say are kept.
static void keep_sessions(Conn *conns, int count, uint64_t t) {
  static uint64_t last;
  if (!last) last = t;
  if (t - last <= (uint64_t)session_ms * 1000000ull / 3) return;
  last = t;
  for (int i = 0; i < count; i++) if (conns[i].up) ping(&conns[i], t);
}

// MARK: beginning

// "HOST:PORT,HOST:PORT": whoever has index i connects to the i-th of them, modulo their number.
static void parse_targets(char *s) {
  for (char *tok = strtok(s, ","); tok; tok = strtok(NULL, ",")) {
    char *colon = strrchr(tok, ':');
    if (!colon || target_count == 16) { fprintf(stderr, "-a takes HOST:PORT, at most 16 of them\n"); exit(2); }
    *colon = 0;
    targets[target_count].sin_family = AF_INET; targets[target_count].sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, tok, &targets[target_count].sin_addr) != 1) { fprintf(stderr, "numeric IPv4 host only\n"); exit(2); }
    target_count++;
  }
}
static void parse_pids(char *s) {
  for (char *tok = strtok(s, ","); tok && pid_count < 16; tok = strtok(NULL, ",")) pids[pid_count++] = atoi(tok);
}
// Room for as many connections as the system gives.
static void raise_limits(void) {
  struct rlimit most = {1 << 20, 1 << 20};
  if (!setrlimit(RLIMIT_NOFILE, &most)) return;
  getrlimit(RLIMIT_NOFILE, &most); most.rlim_cur = most.rlim_max; setrlimit(RLIMIT_NOFILE, &most);
}
// `count` connections whose rings hold at least `depth` requests each; none is dialled yet.
static Conn *make_conns(int count, int depth) {
  signal(SIGPIPE, SIG_IGN); raise_limits();
  epfd = epoll_create1(0); ring = 1; while (ring < (unsigned)depth) ring *= 2;
  Conn *conns = calloc((size_t)count, sizeof *conns); if (!conns) die("memory");
  for (int i = 0; i < count; i++) { conns[i].index = i; conns[i].flight = malloc(ring * sizeof(Flight)); if (!conns[i].flight) die("memory"); }
  return conns;
}
