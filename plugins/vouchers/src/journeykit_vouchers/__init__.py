"""Voucher codes: drawn by the action `voucher`, verified by whoever has the secret."""

from journeykit_vouchers.codes import Verdict, verify

__all__ = ["Verdict", "verify"]
