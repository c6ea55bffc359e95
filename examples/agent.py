#!/usr/bin/env python3
"""HORARIUM_API_KEY=… agent.py URL HOST: an agent in the standard library; docs/agent-protocol.md explains each call."""
import json, os, sys, threading, time, urllib.error, urllib.request
BASE, HOST = sys.argv[1].rstrip("/") + "/api/v1/agents", sys.argv[2]
HEADERS = {"Content-Type": "application/json", "X-API-Key": os.environ["HORARIUM_API_KEY"]}
OPERATIONS = {"demo.add.do": lambda data: data["a"] + data["b"], "node.load.get": lambda _: os.getloadavg()}
me, running = {}, set()  # what the server knows this agent as; the tokens of what is leased and not yet acknowledged

def call(path, body):
    for wait in (0.25, 0.5, 1, 2, 4, 8, *[15] * 10**6):
        try:  # with the path made anew, since the agent may have registered again
            request = urllib.request.Request(f"{BASE}/{path.format(**me)}", json.dumps(body).encode(), HEADERS)
            return json.load(urllib.request.urlopen(request, timeout=60))
        except urllib.error.HTTPError as error:
            if error.code == 404 and path != "register":
                register()
            elif error.code < 500 and error.code != 429:
                sys.exit(f"{path} was refused: {error.read().decode()}")
        except OSError:
            pass  # the server is away: what is done is reported when it is back
        time.sleep(wait)

def register():
    me.update(call("register", {"hostname": HOST, "operations": list(OPERATIONS), "labels": {"language": "python"}}))

def beat():
    while call("{agent_id}/heartbeat", {"running": list(running)}):
        time.sleep(me["heartbeat_seconds"])

register()
threading.Thread(target=beat, daemon=True).start()
while True:
    for task in call("{agent_id}/lease", {"max": 1, "wait_seconds": 20}):
        running.add(task["lease_token"])
        try:
            result = {"outcome": "completed", "data": OPERATIONS[task["operation"]](task["data"]), "changed": False}
        except Exception as problem:
            result = {"outcome": "failed", "error": repr(problem)}
        call("{agent_id}/report", [{"lease_token": task["lease_token"], **result}])
        running.discard(task["lease_token"])
