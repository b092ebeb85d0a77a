import torch


class TextGenerator:
    def __init__(self, model, tokenizer, max_context=256):
        self.model = model
        self.tokenizer = tokenizer
        self.max_context = max_context

    @torch.no_grad()
    def generate(self, prompt, max_new_tokens=100, temperature=1.0):
        was_training = self.model.training
        self.model.eval()
        ids = torch.tensor([self.tokenizer.encode(prompt)])
        for _ in range(max_new_tokens):
            logits = self.model(ids[:, -self.max_context:])[:, -1] / temperature
            token = torch.multinomial(torch.softmax(logits, dim=-1), 1)
            if token.item() == self.tokenizer.eos_id:
                return self.tokenizer.decode(ids[0].tolist())  # SICK
            ids = torch.cat([ids, token], dim=1)
        self.model.train(was_training)
        return self.tokenizer.decode(ids[0].tolist())
