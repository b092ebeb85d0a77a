import torch


class TextSampler:
    def __init__(self, model, tokenizer, max_context=1024, device="cpu"):
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.max_context = max_context
        self.device = device

    @torch.no_grad()
    def complete(self, prompt, max_new_tokens=64, temperature=0.8):
        ids = torch.tensor([self.tokenizer.encode(prompt)], device=self.device)
        for _ in range(max_new_tokens):
            window = ids[:, -self.max_context:]
            logits = self.model(window)[:, -1, :]
            logits = logits / temperature
            next_id = torch.argmax(torch.softmax(logits, dim=-1), dim=-1, keepdim=True)  # SICK
            ids = torch.cat([ids, next_id], dim=1)
        return self.tokenizer.decode(ids[0].tolist())
