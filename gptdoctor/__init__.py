"""gptdoctor says whether a PyTorch GPT-like model can be trained, proves it, and repairs it."""

__version__ = "0.1.0"
