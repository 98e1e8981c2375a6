// barriers: many clients pass double barriers, as in Table 3 of ZooKeeper's paper (Hunt et al. 2010).
//
//   cc -O2 -o barriers barriers.c
//   ./barriers -a 127.0.0.1:2181 -c 50 -n 200 -p SERVER_PID
//
// Each of -c clients enters all of -n barriers in turn, then leaves all in turn. To enter: create an
// ephemeral child of the barrier; watch for its node `ready`; list the children; the client that
// sees all of them makes `ready`, the others wait for it. To leave: delete the own child; list the
// children; while one is left, watch the lowest and list again when it goes. Each client waits for
// a reply before it sends another request, but for the pings that keep its session. It prints one
// JSON line: the seconds that all took, the operations, and how many of them were reads.
#define _GNU_SOURCE
#include "wire.h"

typedef enum { CREATING, WATCHING_READY, COUNTING, AWAITING_READY, MAKING_READY, DELETING, LISTING, WATCHING_CHILD, AWAITING_CHILD, FINISHED } Step;
typedef struct { Step step; int barrier, fired; char awaited[160]; } Client;

static int client_count = 50, barrier_count = 10;
static char root[64];
static Conn *conns;
static Client *clients;
static uint64_t operations, reads;
static int up_count, finished, preparing;

static void fail(const char *what, int err) { fprintf(stderr, "barriers: %s: error %d\n", what, err); exit(1); }

// MARK: requests

static void barrier_path(char *path, size_t size, int barrier, const char *child) { snprintf(path, size, "%s/b%05d%s%s", root, barrier, *child ? "/" : "", child); }
static void own_child(char *name, size_t size, int index) { snprintf(name, size, "p%05d", index); }

static void send_step(Conn *c, Step step, uint64_t t) {
  Client *me = &clients[c->index]; char path[160], name[16] = "";
  static const uint8_t nothing[1];
  me->step = step; operations++;
  if (step == CREATING || step == DELETING) own_child(name, sizeof name, c->index);
  if (step == WATCHING_READY || step == MAKING_READY) strcpy(name, "ready");
  barrier_path(path, sizeof path, me->barrier, name);
  switch (step) {
    case CREATING: send_create(c, path, nothing, 0, 1, 0, t); break;
    case MAKING_READY: send_create(c, path, nothing, 0, 0, 0, t); break;
    case DELETING: send_delete(c, path, 0, t); break;
    case COUNTING: case LISTING: reads++; send_path(c, OP_CHILDREN, path, 0, t); break;
    case WATCHING_READY: reads++; me->fired = 0; strcpy(me->awaited, path); send_path(c, OP_EXISTS, path, 1, t); break;
    case WATCHING_CHILD: reads++; me->fired = 0; send_path(c, OP_EXISTS, me->awaited, 1, t); break;
    default: fail("a step without a request", (int)step);
  }
}
static void enter_next(Conn *c, uint64_t t) {
  Client *me = &clients[c->index];
  if (++me->barrier < barrier_count) { send_step(c, CREATING, t); return; }
  me->barrier = 0; send_step(c, DELETING, t);
}
static void leave_next(Conn *c, uint64_t t) {
  Client *me = &clients[c->index];
  if (++me->barrier < barrier_count) { send_step(c, DELETING, t); return; }
  me->step = FINISHED; finished++;
}

// MARK: replies

// How many of the clients' children a reply to getChildren names; the lowest becomes the awaited path.
static int children(Client *me, const uint8_t *p, int len) {
  int count = 0, off = 20, left = len >= 20 ? g32(p + 16) : 0; const uint8_t *lowest = NULL;
  for (; left > 0 && off + 4 <= len; left--) {
    int n = g32(p + off); off += 4;
    if (n < 0 || n > len - off) fail("a listing that is cut short", n);
    if (n == 6 && p[off] == 'p') { count++; if (!lowest || memcmp(p + off, lowest, 6) < 0) lowest = p + off; }
    off += n;
  }
  if (!lowest) return 0;
  char name[16]; memcpy(name, lowest, 6); name[6] = 0;
  if (me->step == LISTING) barrier_path(me->awaited, sizeof me->awaited, me->barrier, name);
  return count;
}
static void on_reply(Conn *c, const uint8_t *p, int len, int err, uint64_t t) {
  Client *me = &clients[c->index];
  switch (me->step) {
    case CREATING: if (err) fail("create", err); send_step(c, WATCHING_READY, t); break;
    case WATCHING_READY:
      if (!err) { enter_next(c, t); break; }
      if (err != NO_NODE) fail("exists", err);
      send_step(c, COUNTING, t); break;
    case COUNTING:
      if (err) fail("getChildren", err);
      if (me->fired) enter_next(c, t);
      else if (children(me, p, len) >= client_count) send_step(c, MAKING_READY, t);
      else me->step = AWAITING_READY;
      break;
    case MAKING_READY: if (err && err != NODE_EXISTS) fail("create ready", err); enter_next(c, t); break;
    case DELETING: if (err) fail("delete", err); send_step(c, LISTING, t); break;
    case LISTING:
      if (err) fail("getChildren", err);
      if (children(me, p, len) == 0) leave_next(c, t); else send_step(c, WATCHING_CHILD, t);
      break;
    case WATCHING_CHILD:
      if (err && err != NO_NODE) fail("exists", err);
      if (err || me->fired) send_step(c, LISTING, t); else me->step = AWAITING_CHILD;
      break;
    default: fail("a reply that nobody asked for", err);
  }
}
// A watch of a barrier passed long ago may fire too: only the awaited path counts.
static void on_event(Conn *c, const uint8_t *p, int len, uint64_t t) {
  Client *me = &clients[c->index];
  int n = len >= 28 ? g32(p + 24) : -1;
  if (n < 0 || n > len - 28 || (size_t)n != strlen(me->awaited) || memcmp(p + 28, me->awaited, (size_t)n)) return;
  me->fired = 1;
  if (me->step == AWAITING_READY) enter_next(c, t);
  if (me->step == AWAITING_CHILD) send_step(c, LISTING, t);
}
static void on_frame(Conn *c, const uint8_t *p, int len, uint64_t t) {
  if (!c->up) { greet(c, p, len); up_count++; return; }
  if (len < 16) fail("a reply that is cut short", len);
  int32_t xid = g32(p), err = g32(p + 12);
  if (xid == -1) { if (!preparing) on_event(c, p, len, t); return; }
  if (c->tail == c->head || c->flight[c->tail++ % ring].xid != xid) fail("a reply out of order", xid);
  if (xid == PING_XID) return;
  if (c->index < client_count) { if (!preparing) on_reply(c, p, len, err, t); return; }
  if (err) fail("preparing", err);
}
static void on_lost(Conn *c) { (void)c; if (finished < client_count) fail("a connection was lost", errno); }

// MARK: the run

static void turn(void) {
  struct epoll_event evs[512];
  int n = epoll_wait(epfd, evs, 512, 100);
  for (int i = 0; i < n; i++) {
    Conn *c = evs[i].data.ptr;
    if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
    flush_out(c);
  }
  // Who waits long at a barrier would else lose its session, as would who made the barriers.
  keep_sessions(conns, client_count + 1, now_ns());
}
static void prepare(void) {
  char path[160]; static const uint8_t nothing[1]; Conn *boss = &conns[client_count];
  preparing = 1;
  for (int i = 0; i <= client_count; i++) dial(&conns[i]);
  for (uint64_t limit = now_ns() + 30000000000ull; up_count <= client_count; turn()) if (now_ns() > limit) fail("sessions missing", client_count + 1 - up_count);
  send_create(boss, root, nothing, 0, 0, 0, now_ns());
  for (int i = 0; i < barrier_count; i++) { barrier_path(path, sizeof path, i, ""); send_create(boss, path, nothing, 0, 0, 0, now_ns()); }
  for (flush_out(boss); boss->head != boss->tail;) turn();
  // The servers of the clients may not have these yet; the leader has, and a client begins with a write.
  preparing = 0;
}
static void parse(int argc, char **argv) {
  int o;
  while ((o = getopt(argc, argv, "a:c:n:p:k:")) != -1) switch (o) {
    case 'a': parse_targets(optarg); break;
    case 'c': client_count = atoi(optarg); break;
    case 'n': barrier_count = atoi(optarg); break;
    case 'p': parse_pids(optarg); break;
    case 'k': session_ms = atoi(optarg); break;
    default: fprintf(stderr, "see the head of barriers.c\n"); exit(2);
  }
  if (!target_count || client_count < 1 || client_count > 90000 || barrier_count < 1) { fprintf(stderr, "barriers: -a HOST:PORT[,...] -c CLIENTS -n BARRIERS\n"); exit(2); }
}
int main(int argc, char **argv) {
  parse(argc, argv);
  conns = make_conns(client_count + 1, barrier_count + 2); clients = calloc((size_t)client_count, sizeof *clients);
  if (!clients) die("memory");
  snprintf(root, sizeof root, "/barriers-%d", getpid());
  prepare();
  uint64_t start = now_ns(); double cpu = cpu_seconds();
  for (int i = 0; i < client_count; i++) { send_step(&conns[i], CREATING, start); flush_out(&conns[i]); }
  while (finished < client_count) turn();
  double el = (double)(now_ns() - start) / 1e9;
  printf("{\"workload\":\"barriers\",\"clients\":%d,\"barriers\":%d,\"seconds\":%.3f,\"operations\":%llu,\"reads\":%llu,\"cpu_us_per_op\":%.2f}\n",
         client_count, barrier_count, el, (unsigned long long)operations, (unsigned long long)reads, (cpu_seconds() - cpu) * 1e6 / (double)operations);
  fflush(stdout);
  for (int i = 0; i <= client_count; i++) { send_simple(&conns[i], OP_CLOSE, conns[i].next_xid++, now_ns()); flush_out(&conns[i]); }
  usleep(100000);
  return 0;
}
