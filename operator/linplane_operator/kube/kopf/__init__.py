"""Kopf as a source of watch events. No other package imports Kopf; what is here exists because of its behaviour.

`supervisor` restarts Kopf if it stops, `tasks` starts one run of it, `login` gives it credentials, `lists` intercepts
its LISTs, `handlers` passes each watch event to the informer.
"""
