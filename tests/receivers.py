"""Who receives alerts in tests: a queue of SQS behind a topic of SNS, and an HTTP server for apprise's json://."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3


class Queue:
    """A topic with a queue that is subscribed to it."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._sns, self._sqs = _clients(endpoint)
        self.topic = self._sns.create_topic(Name=name)["TopicArn"]
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)

    def received(self) -> list[dict[str, str]]:
        """Subject and message of what came since the last call."""
        found = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def delete(self) -> None:
        self._sns.delete_topic(TopicArn=self.topic)
        self._sqs.delete_queue(QueueUrl=self._url)


def delete_topics(endpoint: str, name: str) -> None:
    """Delete the topics and queues of this name."""
    sns, sqs = _clients(endpoint)
    for page in sns.get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            if topic["TopicArn"].endswith(f":{name}"):
                sns.delete_topic(**topic)
    for url in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)


def _clients(endpoint: str) -> tuple[Any, Any]:
    login = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    options = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    return boto3.client("sns", **options, **login), boto3.client("sqs", **options, **login)


class Hook:
    """An HTTP server that takes what apprise sends to ``json://``; ``status`` is what it answers."""

    def __init__(self, port: int) -> None:
        self.url = f"json://hook:hook-secret@127.0.0.1:{port}/"
        self.status = 200
        self.requests: list[str] = []

    def received(self) -> list[dict[str, Any]]:
        """Title and message of what came since the last call."""
        came, self.requests = self.requests, []
        return [json.loads(request) for request in came]


@contextmanager
def hook() -> Iterator[Hook]:
    """The server, as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if receiver.status == 200:
                receiver.requests.append(body)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Hook(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
