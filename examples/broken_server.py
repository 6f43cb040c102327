"""A small server of the contract that loses money. `cashpoint verify` shows how:

    python3 examples/broken_server.py                                       # listens on port 9000
    cashpoint verify http http://localhost:9000 --only histories --operations 10000 --connections 4

The fault is in `change`: it reads a balance, thinks, and writes. Two threads that do so at once lose one change.
"""

import json
import sys
import time
import uuid
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

balances = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def change(self, number, amount):
        balance = balances[number]
        if balance + amount < 0:
            return self.answer(400, {"detail": "Insufficient funds"})
        time.sleep(0.0001)  # a database, a log line, or nothing at all
        balances[number] = balance + amount
        self.answer(200, {"account_number": number, "new_balance": float(balance + amount)})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])), parse_float=Decimal)
        if self.path == "/accounts":
            number = str(uuid.uuid4())
            balances[number] = Decimal(body["initial_balance"])
            return self.answer(201, {"account_number": number, "balance": float(balances[number])})
        _, _, number, action = self.path.split("/")
        if number not in balances:
            return self.answer(404, {"detail": "Account not found"})
        self.change(number, Decimal(body["amount"]) * (1 if action == "deposit" else -1))

    def do_GET(self):
        if self.path == "/accounts":
            accounts = [{"account_number": n, "balance": float(b)} for n, b in list(balances.items())]
            return self.answer(200, {"accounts": accounts, "total_accounts": len(accounts)})
        number = self.path.removeprefix("/accounts/").removesuffix("/balance")
        balance = balances.get(number)
        if balance is None:
            return self.answer(404, {"detail": "Account not found"})
        self.answer(200, {"account_number": number, "balance": float(balance)})

    def do_DELETE(self):
        known = balances.pop(self.path.removeprefix("/accounts/"), None) is not None
        self.answer(204 if known else 404, None if known else {"detail": "Account not found"})

    def answer(self, status, value):
        body = json.dumps(value).encode() if value is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
