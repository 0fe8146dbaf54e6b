"""Sends SMS with both clouds' official SDKs, none of ours, to a server on loopback, and says what they sent.

Run by the Python of their own environment: a list of questions comes in as JSON, each `[cloud, {argument: value}]`, and
for each goes out what the SDK's request was: method, target, headers as they came, body, and what the SDK made of the
answer.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from alibabacloud_dysmsapi20170525.client import Client as AliyunClient
from alibabacloud_dysmsapi20170525.models import SendSmsRequest as AliyunSendSms
from alibabacloud_tea_openapi.utils_models import Config
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111.models import SendSmsRequest as TencentSendSms
from tencentcloud.sms.v20210111.sms_client import SmsClient


class Loopback(BaseHTTPRequestHandler):
    """Remembers what it was asked, and answers as the server was told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.seen.append(
            {"method": "POST", "target": self.path, "headers": list(self.headers.items()), "body": body.decode()}
        )
        said = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        """Says nothing."""


def captured(answer, ask):
    with HTTPServer(("127.0.0.1", 0), Loopback) as server:
        server.seen, server.answer = [], answer
        Thread(target=server.serve_forever, daemon=True).start()
        said = ask(f"127.0.0.1:{server.server_port}")
        server.shutdown()
    (seen,) = server.seen
    return {**seen, "understood": said}


def aliyun(key_id, secret, fields):
    def ask(host):
        config = Config(access_key_id=key_id, access_key_secret=secret, endpoint=host, protocol="http")
        answer = AliyunClient(config).send_sms(AliyunSendSms().from_map(fields))
        return answer.body.to_map()

    return captured({"Code": "OK", "BizId": "9006^0", "Message": "OK", "RequestId": "r"}, ask)


def tencent(secret_id, secret_key, region, fields):
    def ask(host):
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=host))
        request = TencentSendSms()
        request.from_json_string(json.dumps(fields))
        client = SmsClient(Credential(secret_id, secret_key), region, profile)
        return json.loads(client.SendSms(request).to_json_string())

    status = {"SerialNo": "5000:1", "Code": "Ok", "Message": "send success", "PhoneNumber": "", "Fee": 1}
    return captured({"Response": {"SendStatusSet": [status], "RequestId": "r"}}, ask)


if __name__ == "__main__":
    asked = {"aliyun": aliyun, "tencent": tencent}
    json.dump([asked[cloud](**arguments) for cloud, arguments in json.load(sys.stdin)], sys.stdout)
