"""Work that is handed in by key: called back by signed webhooks that two kill -9 cannot lose, waited for, listed."""

import hashlib
import hmac
import json
import threading

from horarium import require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
JOBS = 120
KILLS_AFTER = (20, 60)  # webhooks that were answered


def check(world):
    calls = threading.Lock()
    first = set()
    answered = []
    allowed = [KILLS_AFTER[0]]  # answers; deliveries beyond are in the air when the kill comes

    def work(call):
        return 200, {"worked": call.execution}

    def receive(call):
        with calls:
            is_first = call.execution not in first
            first.add(call.execution)
        wait_for("the receiver's turn", lambda: len(answered) < allowed[0] or call.hung_up(), 120)
        if call.hung_up():
            return 200, {}  # nobody hears it
        answered.append(call.execution)
        # A receiver that is away at first, for some.
        return (503, {}) if is_first and int(call.execution[-1], 16) == 0 else (200, {})

    target, receiver = world.target(work), world.target(receive)
    node = world.node()
    node.client.create_job(
        "work",
        jobType="HttpCall",
        jobConfiguration={"url": f"{target.url}/work", "method": "POST"},
        retryPolicy={"maxAttempts": 10, "delaySeconds": 1},
    )
    key = node.client.expect(201, "POST", "/api/v1/keys", {"name": "program", "scopes": ["*"]})["key"]
    secret = node.client.expect(200, "GET", "/api/v1/webhook-secret")["secret"]
    own = {"x-api-key": key}

    refused = node.client.call("GET", "/v1/toolkit/authenticate")
    require((refused.status, json.loads(refused.text)) == (401, {"message": "Unauthorized"}), f"{refused}")
    told = node.client.expect(200, "GET", "/v1/toolkit/authenticate", headers=own)
    require(told["response"] == "Authorized", f"{told}")
    node.client.expect(200, "GET", "/v1/toolkit/test", headers=own)

    waited = node.client.expect(200, "POST", "/v1/toolkit/jobs", {"job": "work", "id": "mine"}, own)
    require(waited["id"] == "mine" and "worked" in waited["response"], f"the wait was answered with {waited}")

    accepted = set()
    for number in range(JOBS):
        body = {"job": "work", "payload": {"n": number}, "id": number, "webhook_url": f"{receiver.url}/hook"}
        accepted.add(node.client.expect(202, "POST", "/v1/toolkit/jobs", body, own)["job_id"])
    require(len(accepted) == JOBS, "two submissions were answered with the same job")

    for count, then in zip(KILLS_AFTER, (*KILLS_AFTER[1:], 100 * JOBS)):
        wait_for(lambda: f"{count} webhooks; {len(answered)} came", lambda: len(answered) >= count, 60, 0.01)
        node.kill()
        allowed[0] = then
        node.start()

    def statuses():
        answer = node.client.expect(200, "POST", "/v1/toolkit/jobs/status", {"since_seconds": 3600}, own)
        return answer["response"]

    wait_for("all jobs are done", lambda: set(statuses().values()) == {"done"}, 120, 0.5)
    listed = node.client.expect(200, "POST", "/paid/get/all/jobs/id/status", {}, own)["response"]
    require(set(listed) == accepted | {waited["job_id"]}, "the listing shows other jobs than were submitted")

    def taken():
        stories = (node.client.execution(job)["timeline"] for job in accepted)
        return sum(any(entry["event"] == "callbackDelivered" for entry in story) for story in stories)

    wait_for(lambda: f"{JOBS} webhooks are taken; {taken()} are", lambda: taken() == JOBS, 120, 1)
    numbers = {}
    for call in receiver.seen():
        body = call.body.encode()
        stamp, _, signature = call.headers["X-Horarium-Signature"].removeprefix("t=").partition(",v1=")
        expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        require(hmac.compare_digest(signature, expected), "a webhook is not signed with the tenant's secret")
        envelope = json.loads(body)
        require(call.headers["X-Horarium-Delivery"] == envelope["job_id"], "a delivery has another id than its job")
        require(envelope["code"] == 200, f"a job failed: {envelope}")
        numbers.setdefault(envelope["job_id"], set()).add(envelope["id"])
    require(set(numbers) == accepted, f"{len(accepted - set(numbers))} webhooks never came")
    require(sorted(n for told in numbers.values() for n in told) == list(range(JOBS)), "names of jobs were mixed up")

    # Back-pressure, to the very number.
    node.client.expect(200, "PUT", "/api/v1/queues/default", {"maxLength": 5, "paused": True})
    body = {"job": "work", "webhook_url": f"{receiver.url}/hook"}
    answers = [node.client.call("POST", "/v1/toolkit/jobs", body, own) for _ in range(8)]
    require([answer.status for answer in answers] == [202] * 5 + [429] * 3, f"{[a.status for a in answers]}")
    require(json.loads(answers[-1].text)["message"] == "MAX_QUEUE_LENGTH (5) reached", answers[-1].text)


if __name__ == "__main__":
    run_check(check, DATABASES)
