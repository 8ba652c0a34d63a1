"""The runtime in an AWS account. boto3 and botocore are imported here and nowhere else.

    events, wakes (SQS) ─▶ ingest ─▶ DynamoDB customers ─▶ stream ─▶ relay ─┬▶ SQS per channel ─▶ deliver
                                                                            ├▶ timers ◀─ tick ─▶ wakes
                                                                            └▶ Firehose: decision log

One conditional `UpdateItem` is one reaction; what follows from it is relayed from the
table's stream, at least once, and everything behind it may happen twice without harm.
"""
