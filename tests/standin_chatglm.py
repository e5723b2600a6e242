"""A stand-in for the modelling code in ChatGLM2's repository: its interface and the shapes of its tensors, a small
decoder behind them.

Like that code it wants `config.max_length`, which configurations have no longer; does not call `post_init`; and gives
hidden states as (tokens, batch, width).
"""

from torch import nn
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class ChatGLMConfig(PretrainedConfig):
    model_type = "chatglm"

    def __init__(self, num_layers=6, padded_vocab_size=64, hidden_size=16, seq_length=64, **others):
        self.num_layers = num_layers
        self.padded_vocab_size = self.vocab_size = padded_vocab_size
        self.hidden_size = hidden_size
        self.seq_length = seq_length
        super().__init__(**others)


class GLMBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.dense = nn.Linear(width, width)

    def forward(self, states):  # (tokens, batch, width)
        query, key, value = self.query_key_value(self.input_layernorm(states)).transpose(0, 1).chunk(3, dim=-1)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return states + self.dense(functional.gelu(seen)).transpose(0, 1)


class ChatGLMModel(PreTrainedModel):
    config_class = ChatGLMConfig

    def __init__(self, config):
        super().__init__(config)
        self.embedding = nn.Embedding(config.padded_vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(GLMBlock(config.hidden_size) for _ in range(config.num_layers))
        self.final_layernorm = nn.LayerNorm(config.hidden_size)
        self.output_layer = nn.Linear(config.hidden_size, config.padded_vocab_size, bias=False)

    def forward(self, input_ids):
        states = self.embedding(input_ids).transpose(0, 1).contiguous()
        hidden_states = ()
        for layer in self.layers:
            hidden_states += (states,)
            states = layer(states)
        return (*hidden_states, self.final_layernorm(states))


class ChatGLMForConditionalGeneration(PreTrainedModel):
    config_class = ChatGLMConfig
    base_model_prefix = "transformer"

    def __init__(self, config):
        super().__init__(config)
        self.max_sequence_length = config.max_length
        self.transformer = ChatGLMModel(config)

    def forward(self, input_ids, use_cache=None, output_hidden_states=None, return_dict=None):
        hidden_states = self.transformer(input_ids)
        logits = self.transformer.output_layer(hidden_states[-1]).transpose(0, 1).contiguous()
        return CausalLMOutputWithPast(logits=logits, hidden_states=hidden_states)
