import torch


def negative_sampling_table(counts, power=0.75):
    freq = counts.float() ** power
    return freq / freq.sum()


class NegativeSampler:
    def __init__(self, counts, k=5):
        self.weights = negative_sampling_table(counts)
        self.k = k

    def __call__(self, batch_size):
        flat = torch.multinomial(self.weights, batch_size * self.k, replacement=True)
        return flat.view(batch_size, self.k)


def sample_with_logprob(logits):
    logp = torch.log_softmax(logits, dim=-1)
    token = torch.multinomial(logp.exp(), 1)
    return token, logp.gather(-1, token)


if __name__ == "__main__":
    sampler = NegativeSampler(torch.tensor([10, 3, 5, 1]))
    print(sampler(4), sample_with_logprob(torch.randn(2, 6)))
