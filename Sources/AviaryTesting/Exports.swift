// Session numbers, and what goes with them.
@_exported public import AviaryWire
