"""Operand memories and what fills them."""
