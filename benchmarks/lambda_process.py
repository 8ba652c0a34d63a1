# ruff: noqa: D102, D103, D107  (a script, run in a process of its own)
"""A function's process, as Lambda starts one: `benchmarks/aws.py` runs it, many times.

Before the clock runs it imports next to nothing, so it is plain and has no types. What
answers stands below botocore, where a request would be sent, and answers from a table in
memory: so all of our CPU and all of botocore's is in the figures, and no network and no
store.
"""

import json
import os
import sys
import time

PARTS = {
    "ingest": ("runtime", "customers"),
    "tick": ("timers",),
    "relay": ("relays",),
    "deliver": ("dispatcher", "tallies"),
}
"""What a function's first invocation makes of the application."""


class Store:
    """Answers requests to AWS; nothing that is written changes what is read."""

    def __init__(self, tables):
        self.tables = tables

    def __call__(self, request, event_name, **_):
        from botocore.awsrequest import AWSResponse

        asked = json.loads(request.body)
        answer = getattr(self, event_name.rpartition(".")[2])(asked)
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, headers, Raw(json.dumps(answer).encode()))

    def GetItem(self, asked):
        key = asked["Key"].items()
        found = [
            item for item in self.tables[asked["TableName"]] if key <= item.items()
        ]
        return {"Item": found[0]} if found else {}

    def Query(self, asked):
        first = next(iter(asked["ExpressionAttributeValues"].values()))
        items = self.tables[asked["TableName"]]
        found = [
            item for item in items if first in (item.get("pk"), item.get("bucket"))
        ]
        return {"Items": found, "Count": len(found)}

    def UpdateItem(self, _):
        return {}

    def BatchWriteItem(self, _):
        return {"UnprocessedItems": {}}

    def SendMessageBatch(self, asked):
        return {"Successful": [{"Id": one["Id"]} for one in asked["Entries"]]}

    def PutRecordBatch(self, asked):
        return {"FailedPutCount": 0, "RequestResponses": [{} for _ in asked["Records"]]}


class Raw:
    """The bytes of an answer."""

    def __init__(self, data):
        self.data = data

    def stream(self):
        yield self.data


class Context:
    """What Lambda hands over beside the event."""

    function_name = "journeykit"
    memory_limit_in_mb = "1024"
    invoked_function_arn = (
        "arn:aws:lambda:eu-central-1:123456789012:function:journeykit"
    )
    aws_request_id = "1"

    def get_remaining_time_in_millis(self):
        return 60_000


def main(path, count):
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes 15 ms
        case = json.load(file)
    os.environ.update(case["environment"])
    output, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: PTH123, SIM115
    name, now = case["function"], case["now"]
    spent = time.process_time
    began = spent()
    module = __import__(f"journeykit_handlers.{name}", fromlist=["lambda_handler"])
    imported = spent()

    # The rest needs a clock that stands where the customers do, and no network.
    import functools

    from journeykit.aws import clients
    from journeykit_handlers import bootstrap

    bootstrap.Cloud = functools.partial(bootstrap.Cloud, clock=lambda: now)
    clients.session().register("before-send", Store(case["tables"]))
    ready = spent()
    app = bootstrap.app()
    for part in PARTS[name]:
        getattr(app, part)
    constructed = spent()
    answer = module.lambda_handler(case["event"], Context())
    first = spent()
    if answer.get("batchItemFailures") or answer.get("sent", case["count"]) == 0:
        raise SystemExit(f"it did not work: {answer}")
    warm = sorted(invoked(module, case["event"]) for _ in range(count))
    asked = in_botocore()
    for _ in range(count):
        invoked(module, case["event"])
    looped = spent()
    total = 0
    for n in range(1_000_000):
        total += n
    result = {
        "loop": spent() - looped,
        "import": imported - began,
        "construct": constructed - ready,
        "first": first - constructed,
        "warm": warm[len(warm) // 2] / case["count"],
        "botocore": sum(asked) / count / case["count"],
        "requests": len(asked) / count / case["count"],
    }
    output.write(json.dumps(result))


def invoked(module, event):
    began = time.process_time()
    module.lambda_handler(event, Context())
    return time.process_time() - began


def in_botocore():
    """Note from now on what each request takes of our CPU."""
    from botocore.client import BaseClient

    call, asked = BaseClient._make_api_call, []

    def timed(self, operation, params):
        began = time.process_time()
        try:
            return call(self, operation, params)
        finally:
            asked.append(time.process_time() - began)

    BaseClient._make_api_call = timed
    return asked


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
