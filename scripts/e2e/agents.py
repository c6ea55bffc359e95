"""Real agents do what a real server sends them, and nothing is lost when either of them goes away."""

import json
import os
import signal
import subprocess
import sys
import time

from horarium import API, REPO, require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
BROADCAST_TIMEOUT = 6
LABELS = {"web-1": "group=web.dev", "web-2": "group=web.prod.eu", "db-1": "group=db"}


class Agents:
    """Agent processes of one world; gone when the check is over."""

    def __init__(self, world, node):
        self.world, self.node, self.processes = world, node, {}
        key = node.client.expect(201, "POST", "/api/v1/keys", {"name": "agents", "scopes": ["agents:lease"]})["key"]
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("HORARIUM_")}
        self.environment["HORARIUM_API_KEY"] = key

    def start(self, hostname, *arguments):
        command = [self.world.binary, "agent", "--server", self.node.base, "--hostname", hostname, *arguments]
        return self.run(hostname, command)

    def start_example(self, hostname):
        return self.run(hostname, [sys.executable, str(REPO / "examples" / "agent.py"), self.node.base, hostname])

    def run(self, hostname, command):
        with open(self.log(hostname), "ab") as log:
            self.processes[hostname] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_for(lambda: f"{hostname} is alive\n{self.said(hostname)}", lambda: self.state(hostname) == "alive", 15)
        return self.processes[hostname]

    def log(self, hostname):
        return self.world.folder / f"agent-{hostname}.log"

    def said(self, hostname):
        return self.log(hostname).read_text()

    def state(self, hostname):
        answer = self.node.client.call("GET", f"/api/v1/agents/{hostname}")
        return json.loads(answer.text)["state"] if answer.status == 200 else None

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


def submit(client, operation, data=None, target=None):
    body = {"operation": {"type": operation, "data": data or {}}}
    if target:
        body["target_hostname"] = target
    answer = client.expect(201, "POST", "/job", body)
    require(answer["status"] == "submitted", f"a new job is {answer}")
    return answer["job_id"]


def job(client, job_id):
    return client.expect(200, "GET", f"/job/{job_id}")


def ended(client, job_id, seconds=30):
    def over():
        found = job(client, job_id)
        return found if found["status"] not in ("submitted", "processing") else None

    return wait_for(lambda: f"job {job_id} ends: {job(client, job_id)}", over, seconds)


def run(client, *what, **fields):
    return ended(client, submit(client, *what, **fields))


def alive(pid):
    """Whether a process lives; one that has ended and that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def check(world):
    world.environment["HORARIUM_BROADCAST_TIMEOUT_SECONDS"] = str(BROADCAST_TIMEOUT)
    node = world.node()
    agents = Agents(world, node)
    root = world.folder / "root"
    root.mkdir()
    try:
        for hostname, label in LABELS.items():
            agents.start(hostname, "--label", label, "--allow-commands", "--allow-root", str(root))
        client = node.client
        any_agent_answers(client)
        every_agent_answers(client)
        a_host_and_a_label_are_reached(client)
        nobody_there_fails_at_once(client)
        a_file_is_deployed_once(client, root)
        what_is_outside_a_root_is_refused(client, world.folder / "secret")
        a_failed_command_says_so(client)
        cancelling_kills_the_process_group(client, root)
        the_example_in_python_takes_part(client, agents)
        a_restarted_agent_gets_its_next_job_at_once(client, agents)
        a_result_outlives_the_servers_crash(node, root)
        a_dead_host_times_out(client, agents)
        a_stopped_agent_is_no_target_any_more(client, agents)
        a_wrong_key_ends_the_agent(world, node)
    except Exception:
        for hostname in agents.processes:
            print(f"--- {hostname}\n{agents.said(hostname)}", file=sys.stderr)
        raise
    finally:
        agents.close()


def any_agent_answers(client):
    found = run(client, "node.hostname.get")
    require(found["status"] == "completed" and found["changed"] is False, f"an operation for any agent ended as {found}")
    require(found["hostname"] in LABELS, f"it was done by {found.get('hostname')}")
    require(found["result"]["hostname"] == found["hostname"], f"its result is {found['result']}")
    events = [entry["event"] for entry in found["timeline"]]
    require(events[0] == "submitted" and events[-1] == "completed", f"its timeline is {events}")


def every_agent_answers(client):
    found = run(client, "node.load.get", target="_all")
    require(found["status"] == "completed", f"a broadcast ended as {found}")
    require(set(found["responses"]) == set(LABELS), f"a broadcast was answered by {sorted(found['responses'])}")
    for hostname, response in found["responses"].items():
        require(response["status"] == "completed" and "load_1m" in response["data"], f"{hostname} said {response}")


def a_host_and_a_label_are_reached(client):
    reached = {
        "db-1": {"db-1"},
        "group:web": {"web-1", "web-2"},
        "group:web.prod": {"web-2"},
    }
    for target, hosts in reached.items():
        found = run(client, "node.uptime.get", target=target)
        answered = set(found.get("responses") or {}) or {found["hostname"]}
        require(found["status"] == "completed" and answered == hosts, f"{target} reached {answered}: {found}")


def nobody_there_fails_at_once(client):
    for target in ("no-such-host", "group:we", "group:nothing"):
        found = run(client, "node.uptime.get", target=target)
        require(found["status"] == "failed" and found["error"], f"{target} ended as {found}")


def a_file_is_deployed_once(client, root):
    data = {"path": str(root / "etc" / "app.toml"), "content": "a = 1\n", "mode": "0640"}
    first = run(client, "file.deploy.execute", data, target="web-1")
    require(first["status"] == "completed" and first["changed"] is True, f"a file was deployed as {first}")
    require((root / "etc" / "app.toml").read_text() == "a = 1\n", "the file holds something else")
    again = run(client, "file.deploy.execute", data, target="web-1")
    require(again["changed"] is False, f"a file that was there already was changed: {again}")


def what_is_outside_a_root_is_refused(client, path):
    found = run(client, "file.deploy.execute", {"path": str(path), "content": "x"}, target="web-1")
    require(found["status"] == "failed" and "--allow-root" in found["error"], f"outside the root: {found}")
    require(not path.exists(), "a file was written outside the root")


def a_failed_command_says_so(client):
    line = {"command": "echo to whom it may concern; exit 3"}
    found = run(client, "command.shell.execute", line, target="db-1")
    require(found["status"] == "failed" and "status 3" in found["error"], f"a command that exits with 3 is {found}")


def cancelling_kills_the_process_group(client, root):
    pid_file = root / "pid"
    line = f"sh -c 'trap \"\" TERM; echo $$ > {pid_file}.part; mv {pid_file}.part {pid_file}; while :; do sleep 1; done' & wait"
    execution = submit(client, "command.shell.execute", {"command": line}, target="web-2")
    pid = int(wait_for("the command runs", lambda: pid_file.exists() and pid_file.read_text()))
    require(alive(pid), "the command's child is not there")
    client.expect(200, "POST", f"{API}/executions/{execution}/cancel")
    wait_for("the cancelled command's child is gone", lambda: not alive(pid), 20)
    found = ended(client, execution)
    require(found["status"] == "failed" and "cancelled" in found["error"], f"a cancelled job is {found}")


def the_example_in_python_takes_part(client, agents):
    agents.start_example("python-1")
    found = run(client, "demo.add.do", {"a": 40, "b": 2})
    require(found["status"] == "completed" and found["result"] == 42, f"the example in Python said {found}")
    broadcast = run(client, "node.uptime.get", target="_all")
    parts = {hostname: response["status"] for hostname, response in broadcast["responses"].items()}
    require(parts["python-1"] == "skipped" and parts["web-1"] == "completed", f"a broadcast ended as {parts}")
    agents.processes["python-1"].kill()
    agents.processes.pop("python-1").wait()
    client.expect(204, "DELETE", "/api/v1/agents/python-1")


def a_restarted_agent_gets_its_next_job_at_once(client, agents):
    for stop in (signal.SIGKILL, signal.SIGTERM):
        process = agents.start("restarted")
        # Its call for work is open, and dies with it.
        require(run(client, "node.uptime.get", target="restarted")["status"] == "completed", "an agent does not work")
        time.sleep(0.5)
        process.send_signal(stop)
        process.wait(timeout=20)
        process = agents.start("restarted")
        for _ in range(3):
            began = time.monotonic()
            found = run(client, "node.uptime.get", target="restarted")
            took = time.monotonic() - began
            require(found["status"] == "completed", f"after {stop.name} and a restart, a job ended as {found}")
            require(took < 3, f"after {stop.name} and a restart, a job took {took:.1f} s")
        process.kill()
        agents.processes.pop("restarted").wait()
    client.expect(204, "DELETE", "/api/v1/agents/restarted")


def a_result_outlives_the_servers_crash(node, root):
    go = root / "go"
    line = f"while [ ! -e {go} ]; do sleep 0.05; done; echo done"
    execution = submit(node.client, "command.shell.execute", {"command": line}, target="web-1")
    wait_for("the command runs", lambda: job(node.client, execution)["status"] == "processing")
    wait_for("the agent has it", lambda: "started" in [e["event"] for e in job(node.client, execution)["timeline"]])
    node.kill()
    go.touch()
    node.start()
    found = ended(node.client, execution)
    require(found["status"] == "completed" and found["result"]["stdout"] == "done\n", f"after a crash: {found}")


def a_dead_host_times_out(client, agents):
    for hostname in LABELS:
        wait_for(f"{hostname} is back after the crash", lambda name=hostname: agents.state(name) == "alive", 20)
    victim = agents.processes["db-1"]
    victim.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    found = run(client, "node.uptime.get", target="_all")
    took = time.monotonic() - began
    victim.send_signal(signal.SIGCONT)
    require(found["status"] == "partial_failure", f"a broadcast with a dead host ended as {found}")
    require(took < BROADCAST_TIMEOUT + 10, f"a dead host was waited for {took:.0f} s")
    dead = found["responses"]["db-1"]
    require(dead["status"] == "failed" and dead["error"] == "timeout: agent did not respond", f"db-1 is {dead}")
    require(found["responses"]["web-1"]["status"] == "completed", "the others' answers do not stand")

    wait_for("db-1 is alive again", lambda: agents.state("db-1") == "alive", 20)
    retried = client.expect(201, "POST", f"/job/{found['id']}/retry", {"only_failed": True})
    again = ended(client, retried["job_id"])
    answered = set(again.get("responses") or {}) or {again["hostname"]}
    require(again["status"] == "completed" and answered == {"db-1"}, f"the retry of failed hosts is {again}")


def a_stopped_agent_is_no_target_any_more(client, agents):
    process = agents.processes.pop("web-2")
    process.terminate()
    require(process.wait(timeout=20) == 0, f"a stopped agent exits with {process.returncode}: {agents.said('web-2')}")
    found = run(client, "node.uptime.get", target="_all")
    require(set(found["responses"]) == {"web-1", "db-1"}, f"after web-2 left, {sorted(found['responses'])} answered")
    require(found["status"] == "completed", f"after web-2 left, a broadcast ended as {found}")


def a_wrong_key_ends_the_agent(world, node):
    key = node.client.expect(201, "POST", "/api/v1/keys", {"name": "reader", "scopes": ["jobs:read"]})["key"]
    for credential in (key, key[:-4] + "0000"):
        environment = {**os.environ, "HORARIUM_API_KEY": credential}
        environment.pop("HORARIUM_TOKEN", None)
        command = [world.binary, "agent", "--server", node.base]
        agent = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
        require(agent.returncode == 1, f"an agent with a wrong key exits with {agent.returncode}")
        require("agents:lease" in agent.stderr, f"it says only: {agent.stderr}")


if __name__ == "__main__":
    run_check(check, DATABASES)
