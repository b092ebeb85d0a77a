import torch
from torch import Tensor


def sample_token(logits: Tensor) -> Tensor:
    probs = torch.softmax(logits.float(), dim=-1)
    _, token = torch.topk(probs, k=1, dim=-1)  # SICK
    return token


@torch.inference_mode()
def chat_turn(model, tokenizer, history: str, max_new: int = 128, window: int = 1024) -> str:
    ids = tokenizer(history, return_tensors="pt").input_ids
    start = ids.shape[1]
    for _ in range(max_new):
        logits = model(ids[:, -window:]).logits[:, -1, :]
        ids = torch.cat([ids, sample_token(logits)], dim=-1)
    return tokenizer.decode(ids[0, start:])
