"""All that exists because Kopf is as it is: nothing outside this package imports it.

`handlers` registers one handler a kind, `lists` intercepts Kopf's LISTs, `supervisor` restarts Kopf if it stops.
"""
