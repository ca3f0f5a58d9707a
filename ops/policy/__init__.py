"""The rules of policy/ over a recorded preview, and the levels that a stack gives them."""
