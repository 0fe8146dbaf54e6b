"""A stand-in for both clouds' SMS APIs that believes no signature it cannot make again with the official SDKs' signers.

Run by the Python of the SDKs' own environment. Prints its port, then serves until its standard input ends. `GET /log`
says what it took, one JSON line each: the log is the judge. `POST /orders` changes how it behaves from then on:

    answer     what is said instead of "accepted", as (status, body), for so many calls as `times`
    seconds    how long it thinks before it answers; the message is taken before
    cut        it takes the message and cuts the connection instead of answering
    push       {"aliyun": URL, "tencent": URL}: where reports of delivery are pushed, after each message
    doubled    each report is pushed twice
"""

import hashlib
import json
import socket
import sys
import time
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

from alibabacloud_tea_openapi.utils import Utils
from tencentcloud.common.credential import Credential
from tencentcloud.sms.v20210111.sms_client import SmsClient

ALIYUN_SKEW_SECONDS, TENCENT_SKEW_SECONDS = 900, 300
BODY_BYTES_MAX = 1 << 20


class Refused(Exception):
    """What the API says instead; the text is its code."""


def check_aliyun(request, headers, body, keys):
    """Raises Refused unless Aliyun's own signer makes the same Authorization of what came."""
    said = headers.get("authorization", "")
    at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    if abs(time.time() - at) > ALIYUN_SKEW_SECONDS:
        raise Refused("InvalidTimeStamp.Expired")
    digest = hashlib.sha256(body).hexdigest()
    if headers.get("x-acs-content-sha256") != digest:
        raise Refused("SignatureDoesNotMatch")
    names = said.split("SignedHeaders=")[-1].split(",")[0].split(";")
    as_signed = SimpleNamespace(
        method="POST",
        pathname=urlsplit(request.path).path,
        query=dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True)),
        headers={name: headers[name] for name in names},
    )
    if said != Utils.get_authorization(as_signed, "ACS3-HMAC-SHA256", digest, keys["id"], keys["secret"]):
        raise Refused("SignatureDoesNotMatch")
    if not {"host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} <= set(names):
        raise Refused("IncompleteSignature")
    return as_signed.query


def check_tencent(request, headers, body, keys):
    """Raises Refused unless Tencent's own signer makes the same Authorization of what came."""
    timestamp = int(headers["x-tc-timestamp"])
    if abs(time.time() - timestamp) > TENCENT_SKEW_SECONDS:
        raise Refused("AuthFailure.SignatureExpire")
    client = SmsClient(Credential(keys["id"], keys["secret"]), headers["x-tc-region"])
    as_signed = SimpleNamespace(
        method="POST",
        uri=request.path,
        data=body,
        header={
            "Content-Type": headers["content-type"],
            "Host": headers["host"],
            "X-TC-Timestamp": headers["x-tc-timestamp"],
        },
    )
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    signature = client._get_tc3_signature(None, as_signed, date, "sms", keys["secret"])
    scope = f"{date}/sms/tc3_request"
    wanted = f"TC3-HMAC-SHA256 Credential={keys['id']}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
    if headers.get("authorization") != wanted:
        raise Refused("AuthFailure.SignatureFailure")
    return json.loads(body)


class Peer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, keys):
        super().__init__(("127.0.0.1", 0), Api)
        self.keys, self.orders, self.taken, self.nonces, self.lock = keys, {}, [], set(), Lock()

    def order(self, said):
        with self.lock:
            self.orders.update(said)

    def next_answer(self):
        """What it was told to say instead, if it still was."""
        with self.lock:
            answer, times = self.orders.get("answer"), self.orders.get("times", 1)
            if answer is None or times <= 0:
                return None
            self.orders["times"] = times - 1
            return answer

    def take(self, line):
        with self.lock:
            line["serial"] = f"{line['cloud']}-{len(self.taken)}"
            self.taken.append(line)
        return line["serial"]

    def is_fresh(self, nonce):
        with self.lock:
            fresh = nonce not in self.nonces
            self.nonces.add(nonce)
        return fresh

    def push(self, cloud, report):
        url = self.orders.get("push", {}).get(cloud)
        for _ in range(0 if url is None else 2 if self.orders.get("doubled") else 1):
            body = json.dumps([report], ensure_ascii=False).encode()
            asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked, timeout=5) as answer:
                said = json.load(answer)
            assert said in ({"code": 0, "msg": "接收成功"}, {"result": 0, "errmsg": "OK"}), said


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.server.taken)
        self.say(200, lines.encode())

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), BODY_BYTES_MAX))
        if self.path == "/orders":
            self.server.order(json.loads(body))
            self.say(200, b"{}")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        (self.of_aliyun if "x-acs-action" in headers else self.of_tencent)(headers, body)

    def of_aliyun(self, headers, body):
        try:
            fields = check_aliyun(self, headers, body, self.server.keys)
            if not self.server.is_fresh(headers["x-acs-signature-nonce"]):
                raise Refused("SignatureNonceUsed")
        except Refused as code:
            self.say(400, {"Code": str(code), "RequestId": "r", "Message": "x", "HostId": "h"})
            return
        instead = self.server.next_answer()
        if instead is not None:
            self.say(*instead)
            return
        if headers["x-acs-action"] != "SendSms":
            self.say(200, {"Code": "OK", "RequestId": "r"})
            return
        serial = self.server.take(
            {"cloud": "aliyun", "phone": fields["PhoneNumbers"], "reference": fields.get("OutId")}
        )
        self.finish_with({"Code": "OK", "BizId": serial, "RequestId": "r", "Message": "OK"})
        report = {"phone_number": fields["PhoneNumbers"], "success": True, "err_code": "DELIVERED"}
        self.server.push("aliyun", {**report, "biz_id": serial, "out_id": fields.get("OutId", ""), "sms_size": "1"})

    def of_tencent(self, headers, body):
        try:
            fields = check_tencent(self, headers, body, self.server.keys)
        except Refused as code:
            self.say(200, {"Response": {"Error": {"Code": str(code), "Message": "x"}, "RequestId": "r"}})
            return
        instead = self.server.next_answer()
        if instead is not None:
            self.say(*instead)
            return
        if headers["x-tc-action"] != "SendSms":
            self.say(200, {"Response": {"RequestId": "r"}})
            return
        (phone,) = fields["PhoneNumberSet"]
        serial = self.server.take({"cloud": "tencent", "phone": phone, "reference": fields.get("SessionContext")})
        status = {"SerialNo": serial, "PhoneNumber": phone, "Fee": 1, "Code": "Ok", "Message": "send success"}
        self.finish_with({"Response": {"SendStatusSet": [status], "RequestId": "r"}})
        report = {"nationcode": "86", "mobile": phone.removeprefix("+86"), "report_status": "SUCCESS"}
        self.server.push("tencent", {**report, "errmsg": "DELIVRD", "sid": serial, "ext": fields.get("SessionContext")})

    def finish_with(self, answer):
        """Answer what was taken, as it was ordered: late, or by cutting the connection."""
        time.sleep(self.server.orders.get("seconds", 0))
        if self.server.orders.get("cut"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.say(200, answer)

    def say(self, status, body):
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        self.wfile.flush()

    def log_message(self, *_):
        """Says nothing."""


if __name__ == "__main__":
    peer = Peer({"id": sys.argv[1], "secret": sys.argv[2]})
    Thread(target=peer.serve_forever, daemon=True).start()
    print(peer.server_port, flush=True)
    sys.stdin.read()
