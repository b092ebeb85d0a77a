"""Processes that have imported what others need, and become those in a fork each time.

To start Python, import torch and read the rules takes two seconds of a processor, and most commands
of the tests take less than one for all else.
"""
