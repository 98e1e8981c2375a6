#if ServiceLifecycle
    public import ServiceLifecycle

    /// In a `ServiceGroup`, a graceful shutdown closes the session.
    extension ZooKeeper: Service {}
#endif
