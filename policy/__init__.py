"""Rules over the resources that a stack registers; as a policy pack of the engine, and over a recorded preview.

Standard library only: the pack runs in a virtual environment of its own (requirements.txt), the other commands in the checkout's.
"""
