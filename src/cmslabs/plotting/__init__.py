"""The house style and plain figures; every one is told whether its events are simulated."""
