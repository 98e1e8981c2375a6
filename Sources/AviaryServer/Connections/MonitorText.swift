import AviaryCore
import AviaryWire
import Zab

/// What `mntr` says: a line for each of ZooKeeper's keys.
///
/// Source: MonitorCommand and ServerMetrics, ZooKeeper 3.9.5.
struct MonitorText {
    private var lines: [String] = []

    var text: String { lines.joined(separator: "\n") + "\n" }

    mutating func add(_ key: String, _ value: some CustomStringConvertible) {
        lines.append("zk_\(key)\t\(value)")
    }

    mutating func add(_ key: String, _ summary: Summary) {
        add("avg_\(key)", summary.average.javaText)
        add("min_\(key)", summary.minimum)
        add("max_\(key)", summary.maximum)
        add("cnt_\(key)", summary.count)
        add("sum_\(key)", summary.sum)
    }

    mutating func add(_ key: String, _ distribution: Distribution) {
        add(key, distribution.summary)
        for (name, part) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            add("\(name)_\(key)", distribution.percentile(part))
        }
    }

    /// The tree, the clients and what they asked for.
    mutating func add(_ core: borrowing ServerCore) {
        let s = core.statistics
        add("ephemerals_count", core.tree.ephemeralCount)
        add("num_alive_connections", core.connectionCount)
        add("avg_latency", s.latency.average.javaText)
        add("min_latency", s.latency.minimum)
        add("max_latency", s.latency.maximum)
        add("outstanding_requests", core.outstandingCount)
        add("znode_count", core.znodeCount)
        add("global_sessions", core.sessionCount)
        add("watch_count", core.watches.count)
        add("approximate_data_size", core.tree.approximateDataSize)
        add("packets_sent", s.packetsSent)
        add("packets_received", s.packetsReceived)
        add("connection_drop_probability", core.connectionDropProbability)
        add("last_client_response_size", s.responseSizes.last)
        add("min_client_response_size", s.responseSizes.minimum)
        add("max_client_response_size", s.responseSizes.maximum)
        add("auth_failed_count", s.authFailures)
        add("watch_bytes", s.watchBytes)
        add("response_bytes", s.responseSizes.sum)
        add("bytes_received_count", s.bytesReceived)
        add("throttled_ops", s.throttledOperations)
        add("connection_rejected", s.connectionsRejected)
        add("connection_request_count", s.connectionRequests)
        add("connection_revalidate_count", s.revalidations)
        add("connection_drop_count", s.connectionsDropped)
        add("sessionless_connections_expired", s.sessionlessConnectionsExpired)
        add("stale_sessions_expired", s.sessionsExpired)
        add("request_throttle_wait_count", s.throttleWaits)
        add("commit_count", s.commits)
        add("proposal_count", s.proposals)
        add("large_requests_rejected", s.largeRequestsRejected)
        add("digest_mismatches_count", s.digestMismatches)
        add("unsuccessful_handshake", s.unsuccessfulHandshakes)
        add("connection_token_deficit", s.connectionTokenDeficit)
        add("node_created_watch_count", s.nodeCreatedWatches)
        add("node_deleted_watch_count", s.nodeDeletedWatches)
        add("node_changed_watch_count", s.nodeChangedWatches)
        add("node_children_watch_count", s.nodeChildrenWatches)
        add("readlatency", s.readLatency)
        add("updatelatency", s.updateLatency)
        for (namespace, count) in s.quotaExceeded.sorted(by: { $0.key < $1.key }) {
            add("\(namespace)_quota_exceeded_error_per_namespace", count)
        }
    }

    /// What a member of an ensemble has besides.
    ///
    /// Source: Leader, Follower and ObserverZooKeeperServer.dumpMonitorValues, ZooKeeper 3.9.5.
    mutating func addEnsemble(_ core: borrowing ServerCore, at now: Now) {
        guard core.isMember else { return }
        switch core.role {
        case .leading: add("peer_state", "leading - broadcast")
        case .following: add("peer_state", "following - broadcast")
        case .observing(let master):
            add("peer_state", "observing - broadcast")
            add("observer_master_id", master.rawValue)
        case .looking: break
        }
        add("quorum_size", core.voterCount)
        guard core.role == .leading, let learners = core.learnerCounts else { return }
        add("learners", learners.all)
        add("synced_followers", learners.syncedFollowers)
        add("synced_non_voting_followers", learners.syncedNonVotingFollowers)
        add("synced_observers", learners.syncedObservers)
        add("pending_syncs", learners.pendingSyncs)
        add("leader_uptime", now.monotonicMilliseconds - core.roleSince)
        let sizes = core.statistics.proposalSizes
        add("last_proposal_size", sizes.last)
        add("min_proposal_size", sizes.minimum)
        add("max_proposal_size", sizes.maximum)
    }

    /// The log and the snapshots.
    mutating func add(_ disk: DiskStatistics) {
        add("fsynctime", disk.syncTimes)
        add("snapshottime", disk.snapshotTimes)
        add("snapshot_error_count", disk.snapshotErrors)
        add("sync_processor_batch_size", disk.batchSizes)
        add("startup_txns_loaded", disk.transactionsLoaded)
        add("dbinittime", disk.recoveryTime)
    }

    /// Apache's keys for parts that Aviary does not have: a dashboard that asks for one finds it.
    mutating func addIdle() {
        for key in Self.idleCounters { add(key, 0) }
        for key in Self.idleSummaries { add(key, Summary()) }
        for key in Self.idleDistributions { add(key, Distribution()) }
    }

    private static let idleCounters = [
        "add_dead_watcher_stall_time", "cnxn_closed_without_zk_server_running",
        "dead_watchers_cleared", "dead_watchers_queued", "diff_count", "ensemble_auth_fail",
        "ensemble_auth_skip", "ensemble_auth_success",
        "insecure_admin_count", "learner_commit_received_count",
        "learner_proposal_received_count", "local_sessions", "looking_count",
        "non_mtls_local_conn_count", "non_mtls_remote_conn_count", "outstanding_changes_queued",
        "outstanding_changes_removed", "outstanding_tls_handshake",
        "prep_processor_request_queued", "quit_leading_due_to_disloyal_voter",
        "request_commit_queued", "requests_not_forwarded_to_commit_processor",
        "response_packet_cache_hits", "response_packet_cache_misses",
        "response_packet_get_children_cache_hits", "response_packet_get_children_cache_misses",
        "restore_error_count", "restore_rate_limited_count", "revalidate_count",
        "skip_learner_request_to_next_processor_count", "snap_count",
        "snapshot_rate_limited_count", "stale_replies", "stale_requests",
        "stale_requests_dropped", "sync_processor_request_queued", "tls_handshake_exceeded",
        "unrecoverable_error_count",
    ]

    private static let idleSummaries = [
        "commit_commit_proc_req_queued", "commit_process_time",
        "concurrent_request_processing_in_commit_processor", "election_time",
        "follower_sync_time", "inflight_diff_count", "inflight_snap_count",
        "leader_unavailable_time", "learner_request_processor_queue_size",
        "netty_queued_buffer_capacity", "observer_sync_time", "pending_session_queue_size",
        "prep_process_time", "prep_processor_queue_size", "proposal_process_time",
        "read_commit_proc_issued", "read_commit_proc_req_queued",
        "reads_after_write_in_session_queue", "reads_issued_from_session_queue",
        "requests_in_session_queue", "restore_time", "session_queues_drained",
        "socket_closing_time", "startup_snap_load_time", "startup_txns_load_time",
        "sync_process_time", "sync_processor_queue_size",
        "time_waiting_empty_pool_in_commit_processor_read_ms", "unavailable_time",
        "write_batch_time_in_commit_processor", "write_commit_proc_issued",
        "write_commit_proc_req_queued",
    ]

    private static let idleDistributions = [
        "close_session_prep_time", "commit_propagation_latency", "dead_watchers_cleaner_latency",
        "jvm_pause_time_ms", "local_write_committed_time_ms", "om_commit_process_time_ms",
        "om_proposal_process_time_ms", "prep_processor_queue_time_ms", "propagation_latency",
        "proposal_ack_creation_latency", "proposal_latency", "quorum_ack_latency",
        "read_commitproc_time_ms", "read_final_proc_time_ms", "request_throttle_queue_time_ms",
        "server_write_committed_time_ms", "sync_processor_queue_and_flush_time_ms",
        "sync_processor_queue_flush_time_ms", "sync_processor_queue_time_ms",
        "write_commitproc_time_ms", "write_final_proc_time_ms",
    ]
}

extension Double {
    /// Four decimals at most, one at least, as Java prints them.
    var javaText: String {
        let scaled = (self * 10_000).rounded() / 10_000
        return "\(scaled)"
    }
}
