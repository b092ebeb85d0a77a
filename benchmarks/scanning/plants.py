"""Defects that a script can write into healthy files of others.

None of them was written with a look at how a rule decides: each says what a tired author would
have written in that place.  `rules` names all rules that may rightly tell it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The head of a class of layers up to any line of its body.
NETWORK = r"^(class \w+\((?:torch\.)?nn\.Module\):\n(?:(?!^\S).*\n)*?"
# A backward, and the few lines between it and what follows at the same depth.
BACKWARD = r"^( +)((?:\w+\.)?\w*backward\(.*\))\n((?: +.*\n){0,3}?)\1"


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One way to make a healthy file sick."""

    rules: tuple[str, ...]  # names
    word: str  # without it there is no place: most files are passed over fast
    find: str  # a regular expression, over lines (MULTILINE)
    put: str  # its replacement
    every: bool = False  # at all places of the file, for what must be nowhere
    unless: str = ""  # a file that matches this is left alone: it would be no defect there

    def planted(self, text: str) -> tuple[str, int] | None:
        """The sick text and the line that was changed first; None where there is no place."""
        if self.word not in text:
            return None
        if self.unless and re.search(self.unless, text, re.MULTILINE):
            return None
        changed = re.sub(self.find, self.put, text, count=not self.every, flags=re.MULTILINE)
        if changed == text:
            return None
        pairs = enumerate(zip(text, changed, strict=False))
        same = next((place for place, (one, two) in pairs if one != two), len(changed))
        return changed, changed.count("\n", 0, same) + 1


def plant(
    rules: str, word: str, find: str, put: str, *, every: bool = False, unless: str = ""
) -> Plant:
    """A plant whose rules are written as words."""
    return Plant(
        rules=tuple(rules.split()), word=word, find=find, put=put, every=every, unless=unless
    )


MODULES = (
    plant(
        "super-init-missing",
        "super().__init__()",
        NETWORK + r"    def __init__\((?:(?!    def ).*\n)*?)        super\(\)\.__init__\(\)\n",
        r"\1",
    ),
    plant(
        "misspelt-special-method",
        "nn.Module)",
        NETWORK + r"    def )forward\(self",
        r"\1foward(self",
    ),
    plant(
        "misspelt-special-method",
        "nn.Module)",
        NETWORK + r"    def )__init__\(self",
        r"\1_init_(self",
    ),
    plant(
        "unregistered-parameters",
        "nn.ModuleList([",
        r"(self\.\w+ = )nn\.ModuleList\((\[.*\])\)$",
        r"\1\2",
    ),
    plant(
        "unregistered-parameters",
        "nn.ModuleList(\n",
        r"(self\.\w+ = )nn\.ModuleList\(\n +(\[.*\])\n +\)",
        r"\1\2",
    ),
    plant(
        "module-built-in-forward",
        "self.dense(hidden_states)",
        r"^( +)hidden_states = self\.dense\(hidden_states\)$",
        r"\1hidden_states = nn.Linear(hidden_states.shape[-1], hidden_states.shape[-1])"
        r"(hidden_states)",
    ),
    plant(
        "one-layer-repeated",
        "for _ in range(",
        r"nn\.ModuleList\(\[(\w+\([\w., =]*\)) for _ in range\(([\w.]+)\)\]\)",
        r"nn.ModuleList([\1] * \2)",
    ),
    plant(
        "plain-tensor-weights unregistered-parameters",
        "= nn.Parameter(torch.",
        r"self\.(weight|scale|bias|gamma) = nn\.Parameter\((torch\.(?:ones|zeros)\(\w+\))\)$",
        r"self.\1 = \2.requires_grad_()",
    ),
    plant(
        "parameter-overwritten",
        "return self.weight *",
        r"^(        )return self\.weight \* (.*)$",
        r"\1self.weight = self.weight.clamp(0.1)\n\1return self.weight * \2",
    ),
    plant(
        "detached-in-forward partly-detached",
        "hidden_states = self.",
        r"^(        hidden_states = self\.(?:final_layer_norm|norm|ln_f)\(hidden_states\))$",
        r"\1.detach()",
    ),
    plant(
        "detached-in-forward partly-detached",
        "self.o_proj(attn_output)",
        r"^(        attn_output = self\.o_proj\(attn_output)\)$",
        r"\1.data)",
    ),
    plant(
        "no-grad-in-forward",
        "def forward(",
        NETWORK + r")(    def forward\()",
        r"\1    @torch.no_grad()\n\2",
    ),
    plant(
        "tensor-not-a-buffer",
        "self.register_buffer(",
        r'self\.register_buffer\("(relative_position_index|causal_mask|mask|bias)", '
        r"(\w+)(?:, persistent=\w+)?\)$",
        r"self.\1 = \2",
    ),
    plant(
        "forward-called-directly",
        "hidden_states = self.",
        r"hidden_states = self\.(dense|norm|mlp)\(hidden_states\)$",
        r"hidden_states = self.\1.forward(hidden_states)",
    ),
    plant(
        "mutable-default",
        "def forward(self, ",
        r"def forward\(self, (hidden_states|x)(: torch\.Tensor)?\)( -> torch\.Tensor)?:\n",
        r"def forward(self, \1\2, seen=[])\3:\n        seen.append(\1)\n",
    ),
    plant(
        "unresolved-import",
        "from .configuration_",
        r"^from \.(configuration_\w+) import",
        r"from .\1_of_old import",
    ),
)
ATTENTION = (
    plant(
        "softmax-over-wrong-axis",
        "nn.functional.softmax(attn_weights, dim=-1",
        r"(attn_weights = nn\.functional\.softmax\(attn_weights, dim=)-1",
        r"\g<1>1",
    ),
    plant(
        "softmax-over-wrong-axis",
        "attn = attn.softmax(dim=-1",
        r"(attn = attn\.softmax\(dim=)-1",
        r"\1-2",
    ),
    plant(
        "nondeterministic-evaluation dropout-without-training",
        "training=self.training)",
        r"((?:F|nn\.functional)\.dropout\([\w.]+, p=[\w.]+), training=self\.training\)",
        r"\1)",
    ),
    plant(
        "finite-mask",
        "masked_fill(",
        r"masked_fill\(([^,\n]+), (?:float\(['\"]-inf['\"]\)|-torch\.inf)\)"
        r"(?=(?:.*\n){1,8}.*softmax)",
        r"masked_fill(\1, -10.0)",
    ),
    plant(
        "finite-mask",
        "finfo(",
        r"masked_fill\(([^,\n]+), torch\.finfo\([\w.]+\)\.min\)(?=(?:.*\n){1,8}.*softmax)",
        r"masked_fill(\1, 1e-9)",
    ),
    plant(
        "mask-after-softmax",
        "attn_weights = attn_weights + ",
        r"^( +if attention_mask is not None:\n(?: +\S.*\n){0,3}? +"
        r"attn_weights = attn_weights \+ \w+\n)"
        r"\n?( +attn_weights = nn\.functional\.softmax\(.*\n)",
        r"\2\1",
    ),
    plant(
        "view-after-transpose",
        ".contiguous()",
        r"^( +)(\w+) = (torch\.(?:matmul|bmm)\(.*\))\n((?:.*\n){0,3}?)"
        r"( +\2 = \2\.(?:permute\(0, 2, 1, 3\)|transpose\(1, 2\)))\.contiguous\(\)"
        r"(?=\n(?:.*\n){0,3}.*\.view\()",
        r"\1\2 = \3\n\4\5",
    ),
    plant(
        "reversed-axes",
        "torch.matmul(",
        r"torch\.matmul\((\w+), (\w*key\w*)\.transpose\((?:2, 3|-1, -2|-2, -1)\)\)",
        r"torch.matmul(\1, \2.T)",
    ),
    plant(
        "mixed-heads",
        ".view(",
        r"\.view\((batch_size|bsz), (seq_len|q_len|tgt_len|seq_length), (self\.num_heads), "
        r"(self\.head_dim)\)\.transpose\(1, 2\)",
        r".view(\1, \3, \2, \4)",
    ),
    plant(
        "missing-attention-scale",
        "attn_weights = torch.matmul(",
        r"(attn_weights = torch\.matmul\(.*\)) \* (?:scaling|self\.scaling)$",
        r"\1",
    ),
    plant(
        "batch-first-missing",
        "batch_first=True",
        r"(nn\.(?:MultiheadAttention|LSTM|GRU|TransformerEncoderLayer)\([^()]*), "
        r"batch_first=True",
        r"\1",
    ),
    plant(
        "misplaced-mask",
        ".triu(",
        r"\.triu\((\w+) - (\w+) \+ 1\)",
        r".triu(\1 - \2)",
    ),
)
LOSS = (
    plant(
        "softmax-before-cross-entropy",
        "loss_fct(logits.view(",
        r"loss = loss_fct\(logits\.view\(-1, (self\.\w+)\), labels\.view\(-1\)\)",
        r"loss = loss_fct(torch.softmax(logits, dim=-1).view(-1, \1), labels.view(-1))",
    ),
    plant(
        "sigmoid-before-bce-with-logits",
        "BCEWithLogitsLoss()",
        r"(loss_fct = (?:nn\.)?BCEWithLogitsLoss\(\)\n +loss = loss_fct\()logits, labels\)",
        r"\1torch.sigmoid(logits), labels)",
    ),
    plant(
        "wrong-label-shift",
        "shift_logits = ",
        r"shift_logits = (\w+)\[\.\.\., :-1, :\](.*)\n( +)shift_labels = (\w+)\[\.\.\., 1:\]",
        r"shift_logits = \1[..., 1:, :]\2\n\3shift_labels = \4[..., :-1]",
    ),
    plant(
        "loss-without-gradient detached-in-forward",
        "loss_fct(logits.view(",
        r"(loss = loss_fct\(logits\.view\(-1, self\.\w+\), labels\.view\(-1\)\))$",
        r"\1.detach()",
    ),
    plant(
        "loss-without-gradient detached-in-forward",
        "loss_fct(logits.view(",
        r"(loss = loss_fct\(logits\.view\(-1, self\.\w+\), labels\.view\(-1\)\))$",
        r"\1.item()",
    ),
    plant(
        "multinomial-over-logits",
        "torch.multinomial(probs,",
        r"probs = .*softmax\((\w+), dim=-1\)\n(.*)torch\.multinomial\(probs,",
        r"\2torch.multinomial(\1,",
    ),
    plant(
        "temperature-inverted", "temperature", r"(\w*logits\w*) / (\w*temperature)\b", r"\1 * \2"
    ),
    plant(
        "graph-kept",
        "@torch.",
        r"^( *)@torch\.(?:no_grad|inference_mode)\(\)\n( *def (?:generate|sample)\()",
        r"\2",
        unless=r"\A(?:(?!multinomial\(|argmax\()[\s\S])*\Z",  # a loop of its own draws tokens
    ),
    plant(
        "routing-weights-ignored",
        "* top_k_weights[",
        r"^ +current_hidden_states = current_hidden_states \* top_k_weights\[.*\]\n",
        "",
    ),
    plant(
        "expert-output-overwritten",
        "final_hidden_states.index_add_(",
        r"final_hidden_states\.index_add_\(0, (\w+), (.+)\)$",
        r"final_hidden_states[\1] = \2",
    ),
)
LOOPS = (
    plant(
        "gradients-never-cleared",
        "zero_grad(",
        r"^ +.*zero_grad\(.*\)\n",
        "",
        every=True,
        unless=r"deepspeed|\A(?:(?!backward\()[\s\S])*\Z",
    ),
    plant(
        "step-before-backward",
        "backward(",
        BACKWARD + r"((?:self\.)?_?optimizer\.step\(\))$",
        r"\1\4\n\1\2\n\3",
    ),
    plant(
        "gradients-cleared-before-step",
        "backward(",
        BACKWARD + r"((?:self\.)?_?optimizer)\.step\(\)$",
        r"\1\2\n\3\1\4.zero_grad()\n\1\4.step()",
    ),
    plant("method-not-called", "optimizer.step()", r"optimizer\.step\(\)$", r"optimizer.step"),
    plant("method-not-called", "model.train()", r"^( +model\.train)\(\)$", r"\1"),
    plant("method-not-called", "model.eval()", r"^( +model\.eval)\(\)$", r"\1"),
    plant(
        "result-dropped",
        ".masked_fill(",
        r"^( +)(attn_weights|attention_scores|scores|sim) = \2\.masked_fill\(",
        r"\1\2.masked_fill(",
    ),
    plant(
        "clip-after-step",
        "clip_grad_norm_(",
        r"^( +)(.*clip_grad_norm_\(.*\))\n((?: +.*\n){0,3}?)\1((?:self\.)?_?optimizer\.step\(\))$",
        r"\3\1\4\n\1\2",
    ),
    plant(
        "loss-kept-with-graph",
        "loss +=",
        r"(\w*loss\w*) \+= (loss)\.(?:item\(\)|detach\(\)(?:\.float\(\))?)$",
        r"\1 += \2",
    ),
    plant(
        "evaluation-with-gradients",
        "@torch.no_grad()",
        r"^ *@torch\.no_grad\(\)\n( *def (?:evaluate|validate)\w*\()",
        r"\1",
    ),
    plant(
        "unsafe-load",
        "weights_only=True",
        r"load_state_dict\((\s*)torch\.load\(([^()\n]*), weights_only=True\)",
        r"load_state_dict(\1torch.load(\2, weights_only=False)",
    ),
    plant(
        "eval-never-undone",
        "model.train()",
        r"^ +model\.train\(\)\n",
        "",
        every=True,
        unless=r"\A(?:(?!model\.eval\(\))[\s\S])*\Z",
    ),
)
PLANTS = (*MODULES, *ATTENTION, *LOSS, *LOOPS)
