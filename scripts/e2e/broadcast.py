"""A broadcast to 200 agents is answered by each of them; how long it took, and what it cost, is printed.

The agents are connections that speak the protocol, as other machines would: each holds a call for work open, reports,
and sends heartbeats. That they run on the same machine as the server makes the figures worse, not better. `scripts/bench`
names a file in HORARIUM_BROADCAST_FIGURES, to which the figures are added as a line of JSON.
"""

import http.client
import json
import os
import threading
import time

from agents import ended, submit
from horarium import require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
AGENTS = 200
ROUNDS = 5


class Agent(threading.Thread):
    """One connection for work and reports; heartbeats go over a second one now and then."""

    def __init__(self, port, key, number):
        super().__init__(daemon=True)
        self.port, self.key, self.hostname = port, key, f"host-{number:03}"
        self.connection = None
        self.over = threading.Event()
        self.problem = None

    def call(self, path, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "X-API-Key": self.key}
        self.connection.request("POST", f"/api/v1/agents/{path}", json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        require(answer.status == 200, f"{path} answered {answer.status}: {text[:300]}")
        return json.loads(text)

    def run(self):
        try:
            introduction = {"hostname": self.hostname, "operations": ["demo.echo.do"], "labels": {"fleet": "bench"}}
            me = self.call("register", introduction)
            while not self.over.is_set():
                tasks = self.call(f"{me['agent_id']}/lease", {"max": 1, "wait_seconds": me["heartbeat_seconds"]})
                if tasks:
                    reports = [
                        {"lease_token": task["lease_token"], "outcome": "completed", "data": self.hostname}
                        for task in tasks
                    ]
                    self.call(f"{me['agent_id']}/report", reports)
                else:
                    self.call(f"{me['agent_id']}/heartbeat", {"running": []})
        except Exception as problem:  # told by the check, on its own thread
            self.problem = self.problem or problem


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def check(world):
    node = world.node()
    client, pid = node.client, node.process.pid
    key = client.expect(201, "POST", "/api/v1/keys", {"name": "agents", "scopes": ["agents:lease"]})["key"]
    agents = [Agent(node.port, key, number) for number in range(AGENTS)]
    try:
        for agent in agents:
            agent.start()

        def all_alive():
            for agent in agents:
                require(agent.problem is None, f"{agent.hostname}: {agent.problem}")
            items = client.expect(200, "GET", "/api/v1/agents")["items"]
            return sum(item["state"] == "alive" for item in items) == AGENTS

        wait_for(f"{AGENTS} agents are alive", all_alive, 60)
        times, costs = [], []
        for _ in range(ROUNDS):
            cpu, began = cpu_seconds(pid), time.monotonic()
            found = ended(client, submit(client, "demo.echo.do", target="_all"), 60)
            took, cpu = time.monotonic() - began, cpu_seconds(pid) - cpu
            require(found["status"] == "completed", f"a broadcast ended as {found['status']}")
            answers = {host: response["data"] for host, response in found["responses"].items()}
            require(len(answers) == AGENTS, f"{len(answers)} of {AGENTS} hosts answered")
            require(all(host == data for host, data in answers.items()), "an answer is under another's name")
            times.append(took)
            costs.append(cpu)
            print(
                f"broadcast to {AGENTS} agents on {world.database}: {took:.2f} s, "
                f"the server's CPU {cpu:.2f} s, its memory {resident_mib(pid):.0f} MiB",
                flush=True,
            )
        if file := os.environ.get("HORARIUM_BROADCAST_FIGURES"):
            with open(file, "a") as lines:
                figures = {"database": world.database, "seconds": times, "cpu": costs, "mib": resident_mib(pid)}
                lines.write(json.dumps(figures) + "\n")
    finally:
        for agent in agents:
            agent.over.set()


if __name__ == "__main__":
    run_check(check, DATABASES)
