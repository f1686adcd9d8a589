"""One reconcile a kind: read what is known, compile what should be, apply what differs, write the status once. The
order lives here.
"""
