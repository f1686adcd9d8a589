"""Retries a prediction until it succeeds; fails unless it is the one of the model's weights: 2.5 * 4 + 1."""

import json
import sys
import time
import urllib.request

URL, DEADLINE = sys.argv[1], time.monotonic() + 150
while True:
    try:
        body = json.dumps({"features": {"area": 4}}).encode()
        with urllib.request.urlopen(URL, body, timeout=5) as reply:
            answer = json.load(reply)
        break
    except OSError as error:  # no Service, no replica or no version yet
        if time.monotonic() > DEADLINE:
            sys.exit(f"{URL}: {error}")
        time.sleep(0.5)
print(json.dumps(answer))
if answer["prediction"] != 11 or answer["version"] != "v1":
    sys.exit("this is not the prediction of the weights: 11 by v1")
