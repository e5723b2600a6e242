"""A stand-in for the modelling code in Baichuan-13B's repository: its interface, a small decoder behind it.

As in some copies of that repository, only the causal language model is mapped, not AutoModel.
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class BaichuanConfig(PretrainedConfig):
    model_type = "baichuan"

    def __init__(self, vocab_size=64, hidden_size=16, num_hidden_layers=6, **others):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        super().__init__(**others)


class BaichuanLayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(width)
        self.W_pack = nn.Linear(width, 3 * width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, states, bias):  # (batch, tokens, width)
        query, key, value = self.W_pack(self.input_layernorm(states)).chunk(3, dim=-1)
        return states + self.o_proj(functional.scaled_dot_product_attention(query, key, value, attn_mask=bias))


class BaichuanModel(PreTrainedModel):
    config_class = BaichuanConfig

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(BaichuanLayer(config.hidden_size) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def forward(self, input_ids):
        states = self.embed_tokens(input_ids)
        places = torch.arange(input_ids.shape[1], device=states.device)
        distance = places - places[:, None]
        bias = (0.5 * distance).to(states.dtype).masked_fill(distance > 0, -torch.inf)  # ALiBi, causal
        hidden_states = ()
        for layer in self.layers:
            hidden_states += (states,)
            states = layer(states, bias)
        return (*hidden_states, self.norm(states))


class BaichuanForCausalLM(PreTrainedModel):
    config_class = BaichuanConfig
    base_model_prefix = "model"
    _no_split_modules = ["BaichuanLayer"]  # noqa: RUF012 (as transformers' own classes have it)

    def __init__(self, config):
        super().__init__(config)
        self.model = BaichuanModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids, use_cache=None, output_hidden_states=None, return_dict=None):
        hidden_states = self.model(input_ids)
        return CausalLMOutputWithPast(logits=self.lm_head(hidden_states[-1]), hidden_states=hidden_states)
