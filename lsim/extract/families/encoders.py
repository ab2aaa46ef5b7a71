"""Encoders: BERT, on a sequence of tokens; ViT and DeiT, on an image in patches."""

from lsim.extract.config import Config
from lsim.extract.families.activations import activation
from lsim.extract.request import Request
from lsim.trace.document import Document
from lsim.trace.ir import Role
from lsim.trace.zoo.builder import Builder
from lsim.trace.zoo.encoder import Sizes, post_norm_layers, pre_norm_layers

_BERT = (
    "J. Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers, NAACL 2019, arXiv:1810.04805"
)
_VIT = "A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, arXiv:2010.11929"
_DEIT = "H. Touvron et al., Training data-efficient image transformers, ICML 2021, arXiv:2012.12877"

_SEPARATE = "Q, K and V are three linear layers, as in the model's own code."
_PATCHES = "The convolution that embeds patches is a GEMM over the elements of a patch."
_TOKENS = "Learned tokens are concatenated to the embedded patches by the operator that adds the positions."
_GATHERED = "What reads one token only reads what a gather has taken out."


def _sizes(config: Config, tokens: int, batch: int) -> Sizes:
    config.divide("hidden_size", "num_attention_heads")
    return Sizes(
        layers=config.layers("num_hidden_layers"),
        width=config.size("hidden_size"),
        heads=config.size("num_attention_heads"),
        tokens=tokens,
        batch=batch,
        hidden=config.size("intermediate_size", 3072),
        act=activation(config, "hidden_act", "gelu"),
        fused=False,
        qkv_bias=config.flag("qkv_bias", True),
    )


def _described(title: str, what: str, batch: int) -> str:
    return f"{title}, {what}{f', batch {batch}' if batch > 1 else ''}"


# -- BERT


def bert(name: str, config: Config, request: Request) -> Document:
    """Embeddings and their norm, layers, and the head that the model class has."""
    model = config.one_of(["BertModel", "BertForSequenceClassification", "BertForMaskedLM"])
    config.must("is_decoder", False, "BERT as a decoder")
    config.must("position_embedding_type", "absolute", "positions that are relative to each other")
    tokens, positions = request.sequence("BERT"), config.size("max_position_embeddings", 512)
    if tokens > positions:
        config.refuse("max_position_embeddings", f"{positions} positions are too few for {tokens} tokens")
    s = _sizes(config, tokens, request.batch)
    words = _described("BERT", f"one sequence of {tokens} tokens", request.batch)
    b = Builder(name, words, (_BERT,), (_SEPARATE, "The embedding sums rows of three tables.", _GATHERED))
    ids = (b.tensor("token_ids", Role.INPUT, s.columns), b.tensor("segment_ids", Role.INPUT, s.columns))
    tables = {
        "word": config.size("vocab_size"),
        "segment": config.size("type_vocab_size", 2),
        "position": positions,
    }
    names = [b.tensor(f"embed.{table}", Role.WEIGHT, rows, s.width) for table, rows in tables.items()]
    x = b.norm("embed.norm", b.embedding("embed", [ids, *names], s.stream), s.stream)
    x = post_norm_layers(b, x, s)
    if model == "BertForMaskedLM":
        _word_head(b, x, s, tables["word"], tied=config.flag("tie_word_embeddings", True))
        return b.document()
    x = _pooler(b, x, s)
    if model == "BertForSequenceClassification":
        b.linear("head", x, (config.labels(), s.width), s.batch)
    return b.document()


def _image_pooler(b: Builder, config: Config, x: str, s: Sizes) -> None:
    config.must("pooler_output_size", s.width, "a pooler of another width")
    config.must("pooler_act", "tanh", "another function after the pooler")
    _pooler(b, x, s)


def _pooler(b: Builder, x: str, s: Sizes) -> str:
    """A linear layer on the first token of each sequence."""
    one = (s.width, s.batch)
    x = b.embedding("class", [x], one, label="class token")
    return b.activation("pooler.tanh", b.linear("pooler", x, (s.width, s.width), s.batch), one)


def _word_head(b: Builder, x: str, s: Sizes, vocabulary: int, tied: bool) -> None:
    """A linear layer, a norm, and a score for each word at each token."""
    x = b.activation(f"head.{s.act}", b.linear("head.linear", x, (s.width, s.width), s.columns), s.stream)
    x = b.norm("head.norm", x, s.stream)
    if tied:
        b.tied("head.words", x, "embed.word", (vocabulary, s.width), s.columns, bias=True)
    else:
        b.linear("head.words", x, (vocabulary, s.width), s.columns)


# -- Vision


def vit(name: str, config: Config, request: Request) -> Document:
    """A class token, and a classifier or a pooler on it."""
    model = config.one_of(["ViTForImageClassification", "ViTModel"])
    b, x, s = _image_layers(name, "ViT", config, request, ("class_token",), (_VIT,))
    if model == "ViTModel":
        _image_pooler(b, config, x, s)
    else:
        _classifier(b, x, "class", s, config.labels())
    return b.document()


def deit(name: str, config: Config, request: Request) -> Document:
    """A class token and a distillation token; a classifier on the first, or one on each, averaged."""
    teacher = "DeiTForImageClassificationWithTeacher"
    model = config.one_of([teacher, "DeiTForImageClassification", "DeiTModel"])
    learned = ("class_token", "distillation_token")
    b, x, s = _image_layers(name, "DeiT", config, request, learned, (_DEIT,))
    labels = config.labels()
    if model == "DeiTModel":
        _image_pooler(b, config, x, s)
    elif model != teacher:
        _classifier(b, x, "class", s, labels)
    else:
        one = _classifier(b, x, "class", s, labels)
        b.residual("average", one, _classifier(b, x, "distillation", s, labels), (labels, s.batch))
    return b.document()


def _image_layers(
    name: str,
    title: str,
    config: Config,
    request: Request,
    learned: tuple[str, ...],
    sources: tuple[str, ...],
) -> tuple[Builder, str, Sizes]:
    """Patch embedding, learned tokens, positions, layers, norm."""
    request.image(title)
    side, patch, batch = config.size("image_size", 224), config.size("patch_size", 16), request.batch
    patches, elements = (side // patch) ** 2, config.size("num_channels", 3) * patch * patch
    if side % patch:
        config.refuse("image_size", f"{side} is not a multiple of the patches' {patch}")
    s = _sizes(config, patches + len(learned), batch)
    what = f"one {side}x{side} image, {s.tokens} tokens"
    b = Builder(name, _described(title, what, batch), sources, (_SEPARATE, _PATCHES, _TOKENS, _GATHERED))
    pixels = b.tensor("patches", Role.INPUT, elements, batch * patches)
    embedded = b.linear("embed", pixels, (s.width, elements), batch * patches)
    tokens = [b.tensor(token, Role.WEIGHT, s.width, 1) for token in learned]
    position = b.tensor("position", Role.WEIGHT, s.width, s.tokens)
    operand = (*(token for token in tokens for _ in range(batch)), embedded)
    x = b.residual("positions", operand, position, s.stream, label="position")
    return b, b.norm("norm", pre_norm_layers(b, x, s), s.stream), s


def _classifier(b: Builder, x: str, token: str, s: Sizes, labels: int) -> str:
    one = b.embedding(token, [x], (s.width, s.batch), label=f"{token} token")
    return b.linear(f"{token}.head", one, (labels, s.width), s.batch)
