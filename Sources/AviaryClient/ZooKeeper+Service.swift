#if ServiceLifecycle
    public import ServiceLifecycle

    /// In a `ServiceGroup`, a graceful shutdown cancels or closes the session as any other service.
    extension ZooKeeper: Service {}
#endif
