"""The two hot endpoints as the service that Cashpoint replaces has them, written anew from its description.

FastAPI with pydantic, balances in binary floats, a lock for each account, one worker: its state is in memory, so
there can be no second. See ../fastapi.sh.
"""

import threading
import uuid
from collections import defaultdict
from datetime import datetime

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

MAX_ACCOUNTS = 1000
MAX_TRANSACTION_AMOUNT = 10000.0


class AccountCreate(BaseModel):
    initial_balance: float = Field(default=0.0, ge=0, le=MAX_TRANSACTION_AMOUNT)


class AccountCreateResponse(BaseModel):
    account_number: str
    balance: float
    message: str


class TransactionRequest(BaseModel):
    amount: float = Field(gt=0, le=MAX_TRANSACTION_AMOUNT)


class BalanceResponse(BaseModel):
    account_number: str
    balance: float


class TransactionResponse(BaseModel):
    account_number: str
    new_balance: float
    transaction_amount: float
    transaction_type: str
    timestamp: datetime


class AccountService:
    def __init__(self) -> None:
        self.accounts: dict[str, dict] = {}
        self.management_lock = threading.Lock()
        self.account_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def create(self, initial_balance: float) -> str:
        with self.management_lock:
            if len(self.accounts) >= MAX_ACCOUNTS:
                raise HTTPException(507, f"Maximum number of accounts ({MAX_ACCOUNTS}) reached")
            number = str(uuid.uuid4())
            now = datetime.now()
            self.accounts[number] = {"balance": initial_balance, "created_at": now, "last_updated": now}
            return number

    def find(self, number: str) -> dict:
        if number not in self.accounts:
            raise HTTPException(404, "Account not found")
        return self.accounts[number]

    def balance(self, number: str) -> float:
        with self.account_locks[number]:
            return self.find(number)["balance"]

    def deposit(self, number: str, amount: float) -> tuple[float, datetime]:
        with self.account_locks[number]:
            account = self.find(number)
            account["balance"] += amount
            account["last_updated"] = datetime.now()
            return account["balance"], account["last_updated"]


app = FastAPI()
service = AccountService()


@app.post("/accounts", response_model=AccountCreateResponse, status_code=status.HTTP_201_CREATED)
async def create(request: AccountCreate):
    number = service.create(request.initial_balance)
    return AccountCreateResponse(
        account_number=number, balance=request.initial_balance, message="Account created successfully"
    )


@app.get("/accounts/{account_number}/balance", response_model=BalanceResponse)
async def balance(account_number: str):
    return BalanceResponse(account_number=account_number, balance=service.balance(account_number))


@app.post("/accounts/{account_number}/deposit", response_model=TransactionResponse)
async def deposit(account_number: str, request: TransactionRequest):
    new_balance, at = service.deposit(account_number, request.amount)
    return TransactionResponse(
        account_number=account_number,
        new_balance=new_balance,
        transaction_amount=request.amount,
        transaction_type="deposit",
        timestamp=at,
    )
