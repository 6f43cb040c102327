"""Several clients of a service at a time. Writes down what they were answered.

    clients.py URL FILE
"""

import http.client
import json
import random
import sys
import threading
import urllib.parse

CLIENTS = 4
REQUESTS = 1500
# What formats may trip over.
HOSTILE = ['"', "\\", ";", ",", "=1+1", "'", "|", "[2020-01-01]", "date:2020-13-45", "%41", "{}", "#", '\\"', "*",
           "@-+", "key:x,time:y", "".join(map(chr, range(0x21, 0x7F)))]


class Client:
    """One connection, and accounts of its own: so it knows what they hold."""

    def __init__(self, address, seed):
        self.connection = http.client.HTTPConnection(address)
        self.random = random.Random(seed)
        self.name = seed
        self.balances = {}
        self.closed = []
        self.keys = set()

    def send(self, method, path, fields=None):
        headers = {"Content-Type": "application/json"}
        if self.random.random() < 0.4:
            key = f"{self.random.choice(HOSTILE)}{self.name}/{self.random.getrandbits(64)}"
            headers["Idempotency-Key"] = key
            self.keys.add(key)
        body = None if fields is None else json.dumps(fields)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def amount(self):
        cents = self.random.randint(1, 99_999)
        return cents, f"{cents // 100}.{cents % 100:02}"

    def step(self):
        kind = self.random.choices(["open", "deposit", "withdraw", "close"], [8, 45, 44, 3])[0]
        if kind == "open" or not self.balances:
            cents, text = self.amount()
            status, answer = self.send("POST", "/accounts", {"initial_balance": text})
            assert status == 201, answer
            self.balances[answer["account_number"]] = cents
            return
        number = self.random.choice(list(self.balances))
        if kind == "close":
            status, answer = self.send("DELETE", f"/accounts/{number}")
            assert status == 204, answer
            del self.balances[number]
            self.closed.append(number)
            return
        cents, text = self.amount()
        status, answer = self.send("POST", f"/accounts/{number}/{kind}", {"amount": text})
        if status == 400:
            assert kind == "withdraw" and self.balances[number] < cents, answer
            return
        assert status == 200, answer
        self.balances[number] += cents if kind == "deposit" else -cents

    def run(self):
        for _ in range(REQUESTS):
            self.step()


def main():
    url, file = sys.argv[1:]
    clients = [Client(urllib.parse.urlsplit(url).netloc, seed) for seed in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = {
        "balances": {number: cents for it in clients for number, cents in it.balances.items()},
        "closed": [number for it in clients for number in it.closed],
        "keys": sorted(key for it in clients for key in it.keys),
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(answered, out)


if __name__ == "__main__":
    main()
