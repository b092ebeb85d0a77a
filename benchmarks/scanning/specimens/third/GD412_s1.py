import torch


@torch.no_grad()
def generate_batch(model, input_ids, eos_token_id, pad_token_id, max_new_tokens=100, max_positions=512):
    generated = input_ids
    for _ in range(max_new_tokens):
        logits = model(generated[:, -max_positions:])
        probs = torch.softmax(logits[:, -1, :], dim=-1)
        next_tokens = torch.multinomial(probs, num_samples=1)
        generated = torch.cat([generated, next_tokens], dim=-1)
        if (next_tokens == eos_token_id).any():  # SICK
            break
    return generated


def decode(tokenizer, ids, pad_token_id):
    texts = []
    for row in ids.tolist():
        texts.append(tokenizer.decode([t for t in row if t != pad_token_id]))
    return texts
