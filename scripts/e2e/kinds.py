"""A job of every kind runs for real: every schedule, calls, handlers, files, functions, retries, time-outs, cancellation,
the egress guard."""

import json
import threading
from datetime import datetime, timedelta, timezone

from horarium import API, require, run_check, wait_for

DATABASES = ("sqlite", "postgres")
BUILT_IN_HANDLERS = ("tokenExpiry", "cleanupExpiredSessions", "executionRetention", "dataSync", "reportGeneration")


def check(world):
    seen_hanging_up = threading.Event()

    def respond(call):
        if call.path == "/hang":
            # Until the caller goes away: both a time-out and a cancellation have to.
            wait_for("the caller hangs up", call.hung_up, 60)
            seen_hanging_up.set()
        if call.path == "/busy-twice" and call.attempt < 3:
            return 503, {"error": "busy"}
        if call.path == "/missing":
            return 404, {"error": "no such thing"}
        return 200, {"itemsProcessed": 3}

    target = world.target(respond)
    files = world.folder / "files"
    files.mkdir()
    world.environment["HORARIUM_FILE_ROOTS"] = str(files)
    if world.postgres:
        world.environment["HORARIUM_CONNECTIONS"] = f"own={world.postgres.url}"
    client = world.node().client

    def http(name, path, **fields):
        configuration = {"url": target.url + path, "method": "POST", **fields.pop("configuration", {})}
        return client.create_job(name, jobType="HttpCall", jobConfiguration=configuration, **fields)

    def calls(path):
        return [call for call in target.seen() if call.path == path]

    a_manual_job_takes_its_payload(client, http, calls)
    a_busy_target_is_tried_again(client, http, calls)
    what_cannot_get_better_is_not_tried_again(client, http, calls)
    a_job_that_takes_too_long_is_stopped(client, http, seen_hanging_up)
    cancelling_reaches_the_running_call(client, http, calls, seen_hanging_up)
    an_interval_repeats(client, http)
    a_one_time_job_runs_once(client, http)
    every_built_in_handler_works(client)
    a_target_that_was_not_opened_is_refused(client)
    files_are_worked_on_in_their_folder_alone(client, files)
    a_function_is_called_where_a_database_is_named(client, is_named=world.postgres is not None)


def a_manual_job_takes_its_payload(client, http, calls):
    job = http("manual", "/manual", configuration={"body": '{"n": {{Payload.n}}, "id": "{{Execution.Id}}"}'})
    execution = client.wait_until_ended(client.trigger(job, {"payload": {"n": 7}}))
    require(execution["status"] == "Succeeded", f"a manual job ended as {execution}")
    require(execution["itemsProcessed"] == 3, f"itemsProcessed of the answer is not in {execution}")
    (call,) = calls("/manual")
    require(json.loads(call.body) == {"n": 7, "id": execution["id"]}, f"the template became {call.body}")
    require(call.execution == execution["id"], "Idempotency-Key is not the execution's id")
    require(call.attempt == 1, f"X-Horarium-Attempt of a first attempt is {call.attempt}")


def a_busy_target_is_tried_again(client, http, calls):
    policy = {
        "maxRetryAttempts": 2,
        "retryDelaySeconds": 1,
        "retryBackoffType": "Fixed",
        "shouldRetryHttpStatusCodes": [503],
    }
    job = http("busy", "/busy-twice", retryPolicy=policy)
    execution = client.wait_until_ended(client.trigger(job))
    require(execution["status"] == "Succeeded", f"not successful after two retries: {execution}")
    require(execution["retryCount"] == 2, f"retryCount after two retries is {execution['retryCount']}")
    times = [call.at for call in calls("/busy-twice")]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    require(len(gaps) == 2 and min(gaps) >= 0.9, f"a fixed delay of 1 s made gaps of {gaps}")


def what_cannot_get_better_is_not_tried_again(client, http, calls):
    policy = {"maxRetryAttempts": 2, "retryDelaySeconds": 1, "shouldRetryHttpStatusCodes": [503]}
    job = http("missing", "/missing", retryPolicy=policy)
    execution = client.wait_until_ended(client.trigger(job))
    require(execution["status"] == "Failed", f"a 404 ended as {execution['status']}")
    require("404" in execution["errorMessage"], f"the error does not name the status: {execution['errorMessage']}")
    require(len(calls("/missing")) == 1, "a 404 was tried again, though only 503 should be")

    again = client.expect(202, "POST", f"{API}/executions/{execution['id']}/retry")
    require(client.wait_until_ended(again)["retryParentId"] == execution["id"], "a manual retry names no parent")


def a_job_that_takes_too_long_is_stopped(client, http, seen_hanging_up):
    seen_hanging_up.clear()
    job = http("slow", "/hang", timeoutSeconds=1, retryPolicy={"maxAttempts": 1})
    execution = client.wait_until_ended(client.trigger(job), 15)
    require(execution["status"] == "Failed", f"an execution past its time ended as {execution['status']}")
    require(seen_hanging_up.wait(5), "a call past its time was not dropped")


def cancelling_reaches_the_running_call(client, http, calls, seen_hanging_up):
    before = len(calls("/hang"))
    seen_hanging_up.clear()
    execution = client.trigger(http("cancelled", "/hang"))
    wait_for("the call to cancel is made", lambda: len(calls("/hang")) > before)
    client.expect(200, "POST", f"{API}/executions/{execution}/cancel")
    found = client.execution(execution)
    require(found["status"] == "Cancelled", f"right after its cancellation an execution is {found['status']}")
    require(seen_hanging_up.wait(10), "the cancelled call was not dropped")
    require(client.execution(execution)["status"] == "Cancelled", "a cancelled execution did not stay so")


def an_interval_repeats(client, http):
    job = http("interval", "/interval", scheduleType="Interval", intervalSeconds=1)
    wait_for("an interval of 1 s fires three times", lambda: len(client.executions(job)) >= 3, 15)
    client.expect(204, "DELETE", f"{API}/jobs/{job}")


def a_one_time_job_runs_once(client, http):
    at = datetime.now(timezone.utc) + timedelta(seconds=1)
    job = http("once", "/once", scheduleType="OneTime", runAt=at.isoformat(timespec="milliseconds"))
    wait_for("a one-time job runs", lambda: any(e["status"] == "Succeeded" for e in client.executions(job)), 15)
    require(client.expect(200, "GET", f"{API}/jobs/{job}")["nextRunAt"] is None, "a one-time job would run again")
    require(len(client.executions(job)) == 1, "a one-time job ran more than once")


def every_built_in_handler_works(client):
    # Every tenant has a job for each, in its group of system jobs.
    jobs = {job["name"]: job["id"] for job in client.expect(200, "GET", f"{API}/jobs?pageSize=200")["items"]}
    for handler in BUILT_IN_HANDLERS:
        require(handler in jobs, f"there is no job {handler}, only {sorted(jobs)}")
        execution = client.wait_until_ended(client.trigger(jobs[handler]))
        require(execution["status"] == "Succeeded", f"{handler} failed: {execution['errorMessage']}")
        require(execution["output"], f"{handler} says nothing of what it did")


def a_target_that_was_not_opened_is_refused(client):
    # The other loopback: refused before anything is sent, since only 127.0.0.0/8 is open.
    configuration = {"url": "http://[::1]:9/", "method": "GET"}
    job = client.create_job(
        "egress", jobType="HttpCall", jobConfiguration=configuration, retryPolicy={"maxAttempts": 1}
    )
    execution = client.wait_until_ended(client.trigger(job))
    require(execution["status"] == "Failed", f"a call to an address that is not open ended as {execution['status']}")
    require("HORARIUM_EGRESS_ALLOW" in execution["errorMessage"], f"it says only: {execution['errorMessage']}")


def files_are_worked_on_in_their_folder_alone(client, files):
    (files / "a.log").write_text("line")

    def archived_to(archive):
        configuration = {
            "operation": "archive",
            "sourcePath": f"{files}/*.log",
            "archivePath": str(archive),
            "deleteAfterDays": 0,
        }
        job = client.create_job(
            f"to {archive.parent.name}",
            jobType="FileOperation",
            jobConfiguration=configuration,
            retryPolicy={"maxAttempts": 1},
        )
        return client.wait_until_ended(client.trigger(job))

    outside = archived_to(files.parent / "logs.zip")
    require(outside["status"] == "Failed", f"an archive outside of the roots ended as {outside['status']}")
    require((files / "a.log").exists(), "a refused archive took its sources away")
    inside = archived_to(files / "logs.zip")
    require(inside["status"] == "Succeeded", f"archiving failed: {inside['errorMessage']}")
    require(json.loads(inside["output"])["bytes"] == 4, f"the output says only: {inside['output']}")
    require(sorted(path.name for path in files.iterdir()) == ["logs.zip"], "the folder does not hold just the archive")


def a_function_is_called_where_a_database_is_named(client, is_named):
    configuration = {"storedProcedureName": "pg_catalog.version", "databaseConnectionStringName": "own"}
    job = client.create_job(
        "function", jobType="StoredProcedure", jobConfiguration=configuration, retryPolicy={"maxAttempts": 1}
    )
    execution = client.wait_until_ended(client.trigger(job))
    if is_named:
        require("PostgreSQL" in (execution["output"] or ""), f"the function did not answer: {execution}")
    else:
        require("'connections'" in execution["errorMessage"], f"it says only: {execution['errorMessage']}")


if __name__ == "__main__":
    run_check(check, DATABASES)
