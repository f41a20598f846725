# SPDX-License-Identifier: Apache-2.0
"""Write random training programs, and say for every parameter where its gradient should be lost.

A program is the source of a Lightning module. It is made of rows: one row is an operation on values
float[4, 3], together with what it does to the gradient of each of its inputs. While the source is
written, every value carries the ways on which parameters flow into it, so that the line to blame
is known without running anything.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Program", "write"]

# What an operation does to the gradient of an input.
LIVE, CUT, ZERO, UNREAD, STOPPED, WRITTEN = "l", "c", "z", "n", "s", "w"
REFUSES = "e"
# Of a way: the backward pass returns none, and the data has been overwritten besides.
OVER = "o"
# The end of a template line that is to be blamed.
BLAME = "  #!"
# What happens to a parameter of a layer besides.
FROZEN, UNUSED = "f", "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One operation.

    Attributes:
        effect: one letter an input: gradient passes, is cut, is zero, the input is not read, the
            backward pass returns none although the result requires grad, the input is
            overwritten, which makes its gradient zero and ends its data, or torch refuses.
        lines: source with `{o}` for the result, `{a}` and `{b}` for the inputs, `{t}` for a fresh
            number; the line to blame ends with `  #!`.
        above: functions and classes that stand before the module, same placeholders.
    """

    effect: str
    lines: tuple[str, ...]
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """One way to use parameters.

    Attributes:
        params: names below the attribute `{m}`; after a space, what happens to the gradient where
            it does not pass; `f` for a frozen one, `-` for one that is not used at all.
        init: the value of the attribute.
        lines: as in `Row`.
        effect: what happens to the gradient of the input.
        above: as in `Row`.
        sometimes: the layer does not run in every step.
    """

    params: tuple[str, ...]
    init: str
    lines: tuple[str, ...]
    effect: str = "l"
    above: tuple[str, ...] = ()
    sometimes: bool = False


def _row(effect: str, *lines: str, above: tuple[str, ...] = ()) -> Row:
    return Row(effect, lines, above)


LAYERS = (
    Layer((".weight", ".bias"), "nn.Linear(3, 3)", ("{o} = self.{m}({a})",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)", ("{o} = {a} + torch.tanh(self.{m}({a}))",)),
    Layer(("",), "nn.Parameter(torch.randn(3))", ("{o} = {a} * self.{m}",)),
    Layer(("",), "nn.Parameter(torch.randn(3, 3))", ("{o} = {a} @ self.{m}",)),
    Layer(("",), "nn.Parameter(torch.randn(4, 3))", ("{o} = torch.sin({a}) + self.{m}",)),
    Layer((".weight", ".bias"), "nn.LayerNorm(3)", ("{o} = self.{m}({a} * X)",)),
    Layer((".weight",), "nn.Embedding(5, 3)", ("{o} = {a} + self.{m}(LABELS)",)),
    Layer((".weight", ".bias"), "nn.Conv1d(1, 1, 3, padding=1)",
          ("{o} = self.{m}({a}.unsqueeze(1)).squeeze(1)",)),
    Layer((".weight_ih", ".weight_hh", ".bias_ih", ".bias_hh"), "nn.GRUCell(3, 3)",
          ("{o} = self.{m}({a}, X)",)),
    Layer((".0.weight", ".0.bias", ".2.weight", ".2.bias"),
          "nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3))", ("{o} = self.{m}({a})",)),
    Layer((".weight", ".bias"), "nn.Bilinear(3, 3, 3)", ("{o} = self.{m}({a}, X)",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("{o} = F.linear({a}, self.{m}.weight * 0.5, self.{m}.bias)",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("for _ in range(2):", "    {o} = torch.tanh(self.{m}({a}))")),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("{o} = checkpoint(self.{m}, {a}, use_reentrant=False)",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("{o} = functional_call(self.{m}, dict(self.{m}.named_parameters()), ({a},))",)),
    Layer((".down", ".up"), "Adapter{t}()", ("{o} = self.{m}({a})",), above=(
        "class Adapter{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.down = nn.Parameter(torch.randn(3, 2))",
        "        self.up = nn.Parameter(torch.zeros(2, 3))",
        "    def forward(self, v):", "        return v + v @ self.down @ self.up")),
    Layer((".0.weight", ".0.bias", ".1.weight", ".1.bias"),
          "nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])",
          ("{o} = {a}", "for layer in self.{m}:", "    {o} = torch.tanh(layer({o}))")),
    Layer((".weight f", ".bias f"), "nn.Linear(3, 3).requires_grad_(False)",
          ("{o} = self.{m}({a})",)),
    Layer((".weight_ih_l0", ".weight_hh_l0", ".bias_ih_l0", ".bias_hh_l0"),
          "nn.GRU(3, 3, batch_first=True)", ("{o} = self.{m}({a}.unsqueeze(1))[0].squeeze(1)",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)", ("{o} = self.{m}.forward({a})",)),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("if batch_idx % 2:", "    {o} = self.{m}({a})", "else:", "    {o} = {a} * 1.0"),
                sometimes=True),
    Layer((".weight", ".bias"), "nn.Linear(3, 3)",
          ("{o} = {a} * 1.0", "if batch_idx == 0:", "    {o} = self.{m}({a})"), sometimes=True),
    Layer((".gain", ".shift"), "Two{t}()", ("{o}, e{t} = self.{m}({a})", "{o} = {o} + e{t}"),
          above=(
        "class Two{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.gain = nn.Parameter(torch.ones(3))",
        "        self.shift = nn.Parameter(torch.zeros(3))",
        "    def forward(self, v):", "        return v * self.gain, v + self.shift")),
)  # fmt: skip

# Parameters that get no gradient, or a zero one.
LAMED = (
    Layer((".weight -", ".bias -"), "nn.Linear(3, 3)", ("{o} = {a}",)),
    Layer((".weight c", ".bias c"), "nn.Linear(3, 3)",
          ("with torch.no_grad():" + BLAME, "    {o} = self.{m}({a})"), "c"),
    Layer((".weight c", ".bias"), "nn.Linear(3, 3)",
          ("{o} = F.linear({a}, self.{m}.weight.detach(), self.{m}.bias)" + BLAME,)),
    Layer((" c",), "nn.Parameter(torch.randn(3))", ("{o} = {a} + self.{m}.data" + BLAME,)),
    Layer((" c",), "nn.Parameter(torch.randn(()))", ("{o} = {a} * self.{m}.item()" + BLAME,)),
    Layer((" z",), "nn.Parameter(torch.randn(3) + 5)",
          ("{o} = {a} * torch.round(self.{m})" + BLAME,)),
    Layer((".weight s",), "nn.Linear(3, 3, bias=False)",
          ("{o} = Half{t}.apply({a}, self.{m}.weight)" + BLAME,), above=(
        "class Half{t}(torch.autograd.Function):", "    @staticmethod",
        "    def forward(ctx, v, w):",
        "        ctx.save_for_backward(w)", "        return v @ w", "    @staticmethod",
        "    def backward(ctx, g):", "        return g @ ctx.saved_tensors[0].t(), None")),
    Layer((".first.weight c", ".first.bias c", ".second.weight", ".second.bias"), "Block{t}()",
          ("{o} = self.{m}({a})",), "c", (
        "class Block{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.first = nn.Linear(3, 3)", "        self.second = nn.Linear(3, 3)",
        "    def forward(self, v):", "        u = torch.tanh(self.first(v))",
        "        u = u.detach()" + BLAME, "        return self.second(u)")),
    Layer((".first.weight c", ".first.bias c", ".second.weight", ".second.bias"), "Block{t}()",
          ("{o} = self.{m}({a})",), above=(
        "class Block{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.first = nn.Linear(3, 3)", "        self.second = nn.Linear(3, 3)",
        "    def forward(self, v):",
        "        mask = (self.first(v) > 0).float()" + BLAME,
        "        return self.second(v) * mask")),
    Layer((".score.weight z", ".score.bias z", ".out.weight", ".out.bias"), "Pool{t}()",
          ("{o} = self.{m}({a})",), above=(
        "class Pool{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.score = nn.Linear(3, 1)", "        self.out = nn.Linear(3, 3)",
        "    def forward(self, v):", "        w = torch.softmax(self.score(v), dim=-1)" + BLAME,
        "        return self.out(v) * w")),
    Layer((".query.weight -", ".query.bias -", ".value.weight", ".value.bias"), "Half{t}()",
          ("{o} = self.{m}({a})",), above=(
        "class Half{t}(nn.Module):", "    def __init__(self):", "        super().__init__()",
        "        self.query = nn.Linear(3, 3)", "        self.value = nn.Linear(3, 3)",
        "    def forward(self, v):", "        return torch.tanh(self.value(v))")),
    Layer((".weight c", ".bias c"), "nn.Linear(3, 3)",
          ("w{t} = {{n: p.detach() for n, p in self.{m}.named_parameters()}}" + BLAME,
           "{o} = functional_call(self.{m}, w{t}, ({a},))")),
    Layer((".weight c", ".bias c"), "nn.Linear(3, 3)",
          ("{o} = checkpoint(self.{m}, {a}.detach(), use_reentrant=True)" + BLAME,), "c"),
    Layer((".weight c", ".bias c"), "nn.Linear(3, 3)",
          ("w{t} = nn.Parameter(self.{m}(MIX))" + BLAME, "{o} = {a} @ w{t}")),
)  # fmt: skip

# Rows that torch refuses to differentiate, and rows whose derivative is not finite.
REFUSED = (
    _row("e", "{o} = torch.heaviside({a}, X)" + BLAME),
    _row("e", "{o} = {a} // 0.3" + BLAME),
)
BREAKING = (
    _row("l", "{o} = torch.sqrt(({a} * 0.0).abs())" + BLAME),
    _row("l", "{o} = {a} * ({a} - {a}.detach()).pow(0.5)" + BLAME),
    _row("l", "{o} = torch.acos(torch.tanh({a}) * 0.0 + 1.0)" + BLAME),
)

# Statements without a result, as people write them beside the loss.
ASIDE = (
    _row("l", "acc{t} = ({a}.argmax(1) == LABELS).float().mean()"),
    _row("l", "self.last = {a}.detach()"),
    _row("l", "value{t} = {a}.abs().max().item()"),
    _row("l", "text{t} = f'{{{a}.mean():.3f}}'"),
    _row("l", "with torch.no_grad():", "    err{t} = ({a} - TARGET).pow(2).mean()"),
    _row("l", "with torch.no_grad():", "    self.running.mul_(0.9).add_({a}.mean(0), alpha=0.1)"),
    _row("l", "broken{t} = bool({a}.isnan().any())"),
    _row("l", "if {a}.max() == -1e6:", "    raise ValueError({a})"),
    _row("l", "array{t} = {a}.detach().cpu().numpy().round(2)"),
    _row("l", "norm{t} = float({a}.norm())"),
    _row("l", "rows{t} = [round(v, 2) for v in {a}[0].tolist()]"),
)

# Gradient passes.
PASSING = (
    _row("l", "{o} = torch.tanh({a})"),
    _row("l", "{o} = torch.sigmoid({a})"),
    _row("l", "{o} = 0.5 * {a} + 0.1"),
    _row("l", "{o} = F.softplus({a})"),
    _row("l", "{o} = torch.sin({a})"),
    _row("l", "{o} = F.leaky_relu({a}, 0.2)"),
    _row("l", "{o} = F.gelu({a})"),
    _row("l", "{o} = torch.softmax({a}, dim=1)"),
    _row("l", "{o} = {a}.double().float()"),
    _row("l", "{o} = {a}.clone().contiguous().cpu()"),
    _row("l", "{o} = {a}.t().reshape(3, 4).t()"),
    _row("l", "{o} = torch.cat([{a}, X], 1)[:, :3]"),
    _row("l", "p{t}, q{t} = {a}.split([1, 2], dim=1)", "{o} = torch.cat([q{t}, p{t}], 1)"),
    _row("l", "p{t}, q{t}, r{t} = {a}.unbind(1)", "{o} = torch.stack([r{t}, q{t}, p{t}], 1)"),
    _row("l", "v{t}, i{t} = {a}.topk(3, dim=1)", "{o} = v{t} * 0.9"),
    _row("l", "{o} = {a}.sort(1).values"),
    _row("l", "{o} = {a}.gather(1, INDEX)"),
    _row("l", "i{t} = {a}.argsort(1)", "{o} = {a}.gather(1, i{t})"),
    _row("l", "{o} = {a}.cumsum(1)"),
    _row("l", "{o} = {a}.roll(1, 0).flip(1)"),
    _row("l", "{o} = {a}.masked_fill(MASK, 0.3)"),
    _row("l", "{o} = torch.where(MASK, {a}, X)"),
    _row("l", "{o} = torch.where({a} > 0, {a}, 0.3 * {a})"),
    _row("l", "{o} = F.dropout({a}, 0.2)"),
    _row("l", "{o} = {a} + (torch.round({a}) - {a}).detach()"),
    _row("l", "{o} = {a} * {a}.detach().abs().mean()"),
    _row("l", "{o} = {a} / ({a}.norm().item() + 1.0)"),
    _row("l", "{o} = {a}.clamp(-50, 50)"),
    _row("l", "{o} = torch.as_tensor({a}) * 1.1"),
    _row("l", "{o} = checkpoint(torch.tanh, {a}, use_reentrant=False)"),
    _row("l", "{o} = Double.apply({a})"),
    _row("l", "{o} = {a} * 1.0", "if {o}.requires_grad:",
         "    {o}.register_hook(twice)"),
    _row("l", "{o} = torch.einsum('bi,ij->bj', {a}, MIX)"),
    _row("l", "{o} = {a}.expand(2, 4, 3).mean(0)"),
    _row("l", "{o} = torch.zeros(4, 3)", "{o}[:, :2] = {a}[:, :2]"),
    _row("l", "{o} = torch.zeros(4, 3)", "{o} += {a}"),
    _row("l", "{o} = {a}.clone()", "{o}.mul_(0.7)"),
    _row("l", "{o} = {a}.clone()", "v{t} = {o}[:, 1]", "v{t}.tanh_()"),
    _row("l", "{o} = {a}.clone()", "{o}[0, 0] = 0.5"),
    _row("l", "{o} = {a}", "for _ in range(2):", "    {o} = torch.tanh({o} * 0.9)"),
    _row("l", "{o} = torch.stack([r for r in {a}])"),
    _row("l", "with torch.no_grad():", "    s{t} = {a}.std() + 1.0", "{o} = {a} / s{t}"),
    _row("l", "with torch.no_grad():", "    with torch.enable_grad():",
         "        {o} = torch.tanh({a})"),
    _row("l", "if {a}.sum() > 0:", "    {o} = {a} * 0.8", "else:", "    {o} = {a} * 1.2"),
    _row("l", "{o} = X.index_add(0, LABELS % 4, {a})"),
    _row("l", "{o} = self.keep({a})"),
    _row("l", "{o} = dict(value={a})['value']"),
    _row("l", "{o} = F.pad({a}, (1, 1))[:, 1:4]"),
    _row("l", "{o} = {a}.index_select(1, INDEX[1])"),
    _row("l", "{o} = torch.vmap(torch.tanh)({a})"),
    _row("l", "{o} = F.normalize({a} + 0.1, dim=1)"),
    _row("l", "{o} = {a}.to(torch.bfloat16).float()"),
    _row("l", "{o} = sum([{a} * w for w in (0.2, 0.3)])"),
    _row("l", "{o} = (lambda v: v * 2)({a})"),
    _row("l", "if (u{t} := torch.tanh({a})) is not None:", "    {o} = u{t}"),
    _row("l", "{o} = {a}.unfold(1, 2, 1).mean(2)", "{o} = torch.cat([{o}, {a}[:, :1]], 1)"),
    _row("l", "{o} = torch.func.vjp(torch.sin, {a})[0]"),
    _row("l", "{o} = {a}.view_as(X).transpose(0, 1).contiguous().mT"),
    _row("l", "{o} = {a} - {a}.mean().detach() + {a}.mean().item()"),
    _row("l", "{o} = torch.empty(4, 3).copy_({a})"),
    _row("l", "{o} = X.clone()", "{o}[MASK] = {a}[MASK]"),
    _row("l", "{o} = torch.zeros(4, 3)", "for k{t} in range(3):",
         "    {o}[:, k{t}] = {a}[:, k{t}] * 0.5"),
    _row("l", "v{t}, i{t} = {a}.max(1, keepdim=True)", "{o} = v{t}.expand(4, 3)"),
    _row("l", "{o} = {a}.clone()", "{o}.t()[0].mul_(0.5)"),
    _row("l", "{o} = torch.zeros(4, 3) + {a}", "{o}.view(-1)[2:7].add_(1.0)"),
    _row("l", "{o} = {a}.clone()", "with torch.no_grad():", "    {o}.mul_(0.5)"),
    _row("l", "with torch.set_grad_enabled(True):", "    {o} = torch.cos({a})"),
    _row("l", "{o} = F.gumbel_softmax({a}.nan_to_num(), hard=True)"),
    _row("l", "{o} = torch.zeros(4, 3).scatter_add(1, INDEX, {a})"),
    _row("l", "{o} = checkpoint(torch.tanh, {a}, use_reentrant=True)"),
    _row("l", "{o} = torch.vmap(lambda v: v * 2 + v.mean(), in_dims=1, out_dims=1)({a})"),
)  # fmt: skip

# Two inputs.
JOINING = (
    _row("ll", "{o} = {a} + {b}"),
    _row("ll", "{o} = {a} * {b}"),
    _row("ll", "{o} = {a} - 0.5 * {b}"),
    _row("ll", "{o} = torch.where(MASK, {a}, {b})"),
    _row("ll", "{o} = torch.cat([{a}, {b}], 1)[:, ::2]"),
    _row("ll", "{o} = torch.stack([{a}, {b}]).mean(0)"),
    _row("ll", "{o} = torch.lerp({a}, {b}, 0.3)"),
    _row("ll", "{o} = torch.addcmul({a}, X, {b})"),
    _row("ll", "{o} = torch.bmm({a}.unsqueeze(2), {b}.unsqueeze(1)).mean(1)"),
    _row("ll", "{o} = {a}.clone()", "{o}.add_({b})"),
    _row("ll", "{o} = {a}.clone()", "{o}[:, 0] = {b}[:, 0]"),
    _row("ll", "{o} = {a}.clone()", "v{t} = {o}[1:]", "v{t} += {b}[1:]"),
    _row("ll", "{o} = {a}.masked_scatter(MASK, {b})"),
    _row("wl", "{o} = {a}.clone()", "{o}[:] = {b}" + BLAME),
    _row("wl", "{o} = {a}.clone()", "{o}.copy_({b})" + BLAME),
    _row("wl", "{o} = {a}.clone()", "{o}.zero_()" + BLAME, "{o}.add_({b})"),
    _row("nl", "{o} = torch.tanh({a})", "{o} = torch.tanh({b})"),
    _row("lc", "{o} = {a} * {b}.detach()" + BLAME),
    _row("lc", "w{t} = {b}.data" + BLAME, "{o} = {a} + w{t}"),
    _row("lc", "{o} = {a}.clone()", "{o}.detach().copy_({b})" + BLAME),
    _row("lc", "{o} = {a}.clone()", "{o}.data.add_({b})" + BLAME),
    _row("lc", "m{t} = {b} > 0.1" + BLAME, "{o} = torch.where(m{t}, {a}, 0.5 * {a})"),
    _row("lc",
         "i{t} = {b}.argmax(1, keepdim=True)" + BLAME, "{o} = {a}.gather(1, i{t}).expand(4, 3)"),
    _row("lc", "s{t} = {b}.mean().item()" + BLAME, "{o} = {a} * s{t}"),
    _row("lc", "s{t} = float({b}.sum())" + BLAME, "{o} = {a} + s{t}"),
    _row("lc", "i{t} = {b}.argsort(1)" + BLAME, "{o} = {a}.gather(1, i{t})"),
    _row("lc", "{o} = {a}.clone()", "with torch.no_grad():" + BLAME, "    {o}.add_({b})"),
    _row("lc", "with torch.no_grad():" + BLAME, "    w{t} = torch.sigmoid({b})",
         "{o} = {a} * w{t}"),
    _row("lc", "{o} = {a}[{b}.argsort(0)[:, 0]]" + BLAME),
    _row("cl", "{o} = torch.where({a} > 0, {b}, 0.5 * {b})" + BLAME),
    _row("cl", "{o} = {a}.detach().clone()" + BLAME, "{o}.add_({b})"),
    _row("lz", "{o} = {a} + torch.round({b})" + BLAME),
    _row("lz", "{o} = {a} + {b} * 0.0" + BLAME),
    _row("lz", "w{t} = torch.softmax({b}.sum(1, keepdim=True), dim=1)" + BLAME, "{o} = {a} * w{t}"),
)  # fmt: skip

_SMOOTH = tuple(row for row in JOINING if row.effect == "ll")

# Gradient is cut.
CUTTING = (
    _row("c", "{o} = {a}.detach()" + BLAME),
    _row("c", "{o} = {a}.data" + BLAME),
    _row("c", "i{t} = {a}.argmax(1)" + BLAME, "{o} = F.one_hot(i{t}, 3).float()"),
    _row("c", "i{t} = (5 * {a}).long()" + BLAME, "{o} = i{t}.float()"),
    _row("c", "m{t} = {a} > 0.1" + BLAME, "{o} = m{t}.float()"),
    _row("c", "s{t} = {a}.mean().item()" + BLAME, "{o} = torch.full((4, 3), s{t})"),
    _row("c", "n{t} = {a}.tolist()" + BLAME, "{o} = torch.tensor(n{t})"),
    _row("c", "n{t} = {a}.detach().numpy()" + BLAME, "{o} = torch.from_numpy(n{t} * 2)"),
    _row("c", "n{t} = {a}.detach().cpu().numpy()" + BLAME, "{o} = torch.tensor(np.tanh(n{t}))"),
    _row("c", "with torch.no_grad():" + BLAME, "    {o} = torch.tanh({a})"),
    _row("c", "with torch.no_grad():" + BLAME, "    u{t} = torch.tanh({a})", "    {o} = u{t} * 2"),
    _row("c", "torch.set_grad_enabled(False)" + BLAME, "{o} = torch.tanh({a})",
         "torch.set_grad_enabled(True)"),
    _row("c", "with torch.inference_mode():" + BLAME, "    u{t} = torch.tanh({a})",
         "{o} = u{t}.clone()"),
    _row("c", "i{t} = {a}.argsort(1)" + BLAME, "{o} = i{t} / 3"),
    _row("c", "{o} = torch.bucketize({a}, EDGES) * 0.2" + BLAME),
    _row("c", "{o} = {a}.topk(3, dim=1).indices.float()" + BLAME),
    _row("c", "{o} = torch.tensor([[float(v) for v in r] for r in {a}])" + BLAME),
    _row("c", "{o} = {a}.clone()", "{o}.detach_()" + BLAME),
    _row("c", "{o} = {a}.new_tensor({a}.tolist())" + BLAME),
    _row("c", "{o} = torch.as_tensor(np.asarray({a}.detach()))" + BLAME),
    _row("c", "{o} = ({a} == {a}.max()).float()" + BLAME),
    _row("c", "{o} = F.one_hot({a}.topk(1, dim=1).indices[:, 0], 3).float()" + BLAME),
    _row("c", "{o} = torch.linspace({a}[0, 0], {a}[1, 1], 12).view(4, 3)" + BLAME),
    _row("c", "{o} = {a}.bool().float()" + BLAME),
    _row("c", "{o} = (3 * {a}).int() * 0.5" + BLAME),
    _row("c", "{o} = torch.autograd.Variable({a}.data)" + BLAME),
    _row("c", "{o} = torch.tensor([v.item() for v in {a}.flatten()]).view(4, 3)" + BLAME),
    _row("c", "r{t} = {a}.mean(1).tolist()" + BLAME, "{o} = torch.tensor([r{t}] * 3).t()"),
    _row("c", "d{t} = dict(v={a}.detach())" + BLAME, "{o} = d{t}['v'].sin()"),
    _row("c", "{o} = torch.zeros(4, 3)", "for k{t} in range(4):",
         "    {o}[k{t}] = {a}[k{t}].sum().item()" + BLAME),
    _row("c", "{o} = {a}.detach().requires_grad_()" + BLAME),
    _row("c", "{o} = torch.zeros(4, 3)", "{o}.copy_({a}.detach())" + BLAME),
    _row("c", "{o} = torch.eq({a}.sign(), X.sign()).float()" + BLAME),
    _row("c", "s{t} = math.tanh({a}.sum())" + BLAME, "{o} = X * s{t}"),
    _row("c", "{o} = torch.multinomial(torch.softmax({a}.nan_to_num(), 1), 3) * 0.5" + BLAME),
    _row("c", "{o} = torch.searchsorted(EDGES, {a}.contiguous()) * 0.2" + BLAME),
    _row("c", "{o} = torch.round({a}).to(torch.int64) / 2" + BLAME),
    _row("c", "n{t} = torch.count_nonzero({a} > 0, dim=1)" + BLAME,
         "{o} = n{t}.unsqueeze(1).expand(4, 3) * 0.1"),
    _row("c", "k{t} = {a}.max(1)[1]" + BLAME, "{o} = F.embedding(k{t}, MIX)"),
    _row("c", "{o} = checkpoint(torch.tanh, {a}.detach(), use_reentrant=True)" + BLAME),
    _row("c", "{o} = nn.Parameter({a}) * 1.0" + BLAME),
    _row("c", "k{t} = int({a}.sum() * 10)" + BLAME, "{o} = X + k{t}"),
    _row("c", "{o} = fix{t}({a})", above=(
        "@torch.no_grad()" + BLAME, "def fix{t}(v):", "    return torch.tanh(v) * 2")),
    _row("c", "{o} = fix{t}({a})", above=(
        "def fix{t}(v):", "    w = torch.tanh(v)", "    u = w.detach()" + BLAME,
        "    return u * 2")),
    _row("c", "{o} = fix{t}({a})", above=(
        "def fix{t}(v):", "    n = [float(e) for e in v.flatten()]" + BLAME,
        "    return torch.tensor(n).view(4, 3)")),
    _row("s", "{o} = Stop{t}.apply({a})" + BLAME, above=(
        "class Stop{t}(torch.autograd.Function):", "    @staticmethod", "    def forward(ctx, v):",
        "        return torch.tanh(v)", "    @staticmethod", "    def backward(ctx, g):",
        "        return None")),
    _row("c", "{o} = Stop{t}.apply({a})" + BLAME, above=(
        "class Stop{t}(torch.autograd.Function):", "    @staticmethod", "    def forward(ctx, v):",
        "        u = torch.tanh(v)", "        ctx.mark_non_differentiable(u)", "        return u",
        "    @staticmethod", "    def backward(ctx, g):", "        return g")),
)  # fmt: skip

# Gradient is zero.
KILLING = (
    _row("z", "{o} = torch.round({a})" + BLAME),
    _row("z", "{o} = torch.floor({a} * 3)" + BLAME),
    _row("z", "{o} = {a}.ceil()" + BLAME),
    _row("z", "{o} = torch.trunc(4 * {a})" + BLAME),
    _row("z", "{o} = torch.sign({a})" + BLAME),
    _row("z", "u{t} = torch.sigmoid({a})", "{o} = torch.bernoulli(u{t})" + BLAME),
    _row("z", "u{t} = {a}.unsqueeze(2)", "{o} = torch.softmax(u{t}, dim=2).squeeze(2) * X" + BLAME),
    _row("z", "{o} = X + {a} * 0.0" + BLAME),
    _row("z", "{o} = X + {a} * torch.zeros(3)" + BLAME),
    _row("z", "u{t} = torch.tanh({a}) + 7", "{o} = u{t}.clamp(-1, 1)" + BLAME),
    _row("z", "u{t} = -1 - {a}.abs()", "{o} = torch.relu(u{t})" + BLAME),
    _row("z", "{o} = {a}.masked_fill(torch.ones(4, 3, dtype=torch.bool), 0.3)" + BLAME),
    _row("z", "u{t} = torch.tanh({a}) + 200", "{o} = torch.sigmoid(u{t})" + BLAME),
    _row("z", "{o} = torch.where({a}.isnan(), {a}, X)" + BLAME),
    _row("z", "{o} = {a} * 1.0" + BLAME, "if {o}.requires_grad:",
         "    {o}.register_hook(nothing)" + BLAME),
    _row("z", "{o} = Zero{t}.apply({a})" + BLAME, above=(
        "class Zero{t}(torch.autograd.Function):", "    @staticmethod", "    def forward(ctx, v):",
        "        return torch.tanh(v)", "    @staticmethod", "    def backward(ctx, g):",
        "        return torch.zeros_like(g)")),
    _row("z", "{o} = F.threshold({a}, 1e9, 0.0)" + BLAME),
    _row("z", "u{t} = torch.tanh({a}) + 50", "{o} = F.hardtanh(u{t})" + BLAME),
    _row("z", "{o} = F.softshrink(torch.tanh({a}), 100.0)" + BLAME),
    _row("z", "{o} = X + {a} * (X > 100)" + BLAME),
    _row("z", "{o} = X + F.dropout({a}, 1.0)" + BLAME),
    _row("z", "{o} = torch.tanh({a} * 0 + 30.0)" + BLAME),
    _row("z", "{o} = torch.div({a}, 0.3, rounding_mode='floor')" + BLAME),
    _row("z", "g{t} = torch.stack([{a}, {a}.sin()], 2)[None]",
         "{o} = F.grid_sample(X[None, None], g{t}, mode='nearest', align_corners=False)[0, 0]"
         + BLAME),
    _row("z", "{o} = torch.where({a} > 1e9, {a}, X)" + BLAME),
    _row("z", "{o} = X + ({a}.half() * 1e-12).float()" + BLAME),
    _row("z", "{o} = X + {a} * MASK * ~MASK" + BLAME),
    _row("w", "{o} = {a}.clone()", "{o}.fill_(0.3)" + BLAME),
    _row("w", "{o} = {a}.clone()", "{o}[:] = X" + BLAME),
    _row("z", "{o} = fix{t}({a})", above=(
        "def fix{t}(v):", "    w = torch.tanh(v)", "    return torch.round(w * 4) / 4" + BLAME)),
)  # fmt: skip

# The ends: float[4, 3] to float[].
TERMS = (
    "{t} = ({a} * self.coefficients).sum()",
    "{t} = F.mse_loss({a}, TARGET)",
    "{t} = {a}.pow(2).mean()",
    "{t} = F.cross_entropy({a}, LABELS % 3)",
    "{t} = torch.logsumexp({a}.flatten() * 2, 0)",
    "{t} = F.smooth_l1_loss({a}, TARGET)",
    "{t} = -F.logsigmoid({a}).mean()",
)

RELABELS = (
    "loss = loss.detach().requires_grad_()",
    "loss = torch.tensor(loss.item(), requires_grad=True)",
    "loss = nn.Parameter(loss)",
)

_PRELUDE = """\
import math

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

G = torch.Generator().manual_seed(1)
X = torch.randn(4, 3, generator=G)
TARGET = torch.randn(4, 3, generator=G)
MIX = torch.randn(3, 3, generator=G)
LABELS = torch.tensor([0, 3, 1, 2])
INDEX = torch.tensor([[0, 2, 1], [2, 1, 0], [1, 0, 2], [0, 1, 2]])
MASK = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0]]).bool()
EDGES = torch.tensor([-1.0, -0.3, 0.0, 0.4, 1.0])


def twice(grad):
    return grad if grad is None else grad * 2


def nothing(grad):
    return grad if grad is None else grad * 0


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        return v * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2

"""

# Parameter -> for each way on which it flows into a value, its state and the marks to blame.
Way = tuple[str, frozenset[int]]
Ways = Mapping[str, frozenset[Way]]

_ALIVE: frozenset[Way] = frozenset({(LIVE, frozenset())})


@dataclass(slots=True)
class Expectation:
    """What the writer knows.

    Attributes:
        state: parameter -> `LIVE`, `ZERO` or `CUT`.
        lines: parameter -> the lines to blame.
        dead_terms: for each term without a gradient, the parameters that flow into it, the lines,
            and whether every way is cut, so that silence is wrong. A term that has a gradient only
            in the steps in which a rare layer runs counts as well; in others it may be named.
        cut: parameters that flow into the loss, and only through cuts.
        refused: lines that torch does not differentiate.
        rare: parameters of layers that do not run in every step.
    """

    state: dict[str, str] = field(default_factory=dict)
    lines: dict[str, set[int]] = field(default_factory=dict)
    dead_terms: list[tuple[frozenset[str], set[int], bool]] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    rare: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Program:
    """Source text and what is expected of it."""

    source: str
    expected: Expectation


@dataclass(slots=True)
class _Value:
    """A variable and the ways on which parameters flow into it, as (state, blamed mark) pairs."""

    name: str
    ways: Ways


class _Writer:
    """Draws rows and writes them down."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.above: list[str] = []
        self.init: list[str] = []
        self.body: list[str] = []
        self.params: dict[str, int] = {}
        self.touched: dict[str, set[int]] = {}
        self.values = [_Value("x", {})]
        self.count = 0
        self.refused: set[int] = set()
        self.rare: set[str] = set()
        self.dead_terms: list[tuple[frozenset[str], set[int], bool]] = []

    def fresh(self) -> int:
        self.count += 1
        return self.count

    def source_value(self) -> _Value:
        """Return an input, a late one more often than an early one."""
        return self.values[-1] if self.rng.random() < 0.6 else self.rng.choice(self.values)

    # -- statements

    def layer(self, layers: Sequence[Layer]) -> None:
        """Write a layer with parameters of its own."""
        layer = self.rng.choice(layers)
        source, number = self.source_value(), self.fresh()
        made, blame, last = self.fresh(), self.fresh(), self.fresh()
        attribute = f"m{number}"
        names = {"o": f"h{number}", "a": source.name, "m": attribute, "t": number}
        self.init.append(f"self.{attribute} = {layer.init.format(**names)}  #@{made}")
        self.above += [_marked(line, names, blame, last) for line in layer.above] + [""] * bool(
            layer.above
        )
        self.body += [_marked(line, names, blame, last) for line in layer.lines]
        ways = dict(_through(source.ways, layer.effect, blame))
        self._touch(source.ways, last, blame)
        for param in layer.params:
            suffix, _, effect = param.partition(" ")
            if effect == FROZEN:
                continue
            self.params[attribute + suffix] = made
            if layer.sometimes:
                self.rare.add(attribute + suffix)
            if effect != UNUSED:
                ways |= _through({attribute + suffix: _ALIVE}, effect or LIVE, blame)
                self._touch([attribute + suffix], last, blame)
            elif layer.above:
                self._touch([attribute + suffix], last)
        self.values.append(_Value(f"h{number}", ways))

    def aside(self) -> None:
        """Write a statement whose result goes nowhere."""
        source, mark = self.source_value(), self.fresh()
        names = {"a": source.name, "t": mark}
        self.body += [_marked(line, names, mark, mark) for line in self.rng.choice(ASIDE).lines]
        self._touch(source.ways, mark)

    def row(self, rows: Sequence[Row]) -> None:
        """Write one operation."""
        row = self.rng.choice(rows)
        inputs = [self.source_value()]
        if len(row.effect) > 1:
            others = [v for v in self.values if v is not inputs[0]] or self.values
            inputs.append(self.rng.choice(others))
        number = self.fresh()
        mark = self.fresh()
        names = {"o": f"h{number}", "t": number, "a": inputs[0].name, "b": inputs[-1].name}
        last = self.fresh()
        marks = (mark, last)
        self.above += [_marked(line, names, *marks) for line in row.above] + [""] * bool(row.above)
        self.body += [_marked(line, names, *marks) for line in row.lines]
        if row.effect == REFUSES:
            self.refused.add(mark)
        ways = _merged(_through(v.ways, e, mark) for v, e in zip(inputs, row.effect, strict=False))
        self.values.append(_Value(f"h{number}", ways))
        for value in inputs:
            self._touch(value.ways, last, mark)

    def _touch(self, ways: Iterable[str], *marks: int) -> None:
        for name in ways:
            self.touched.setdefault(name, set()).update(marks)

    # -- the loss

    def loss(self, terms: int, *, relabelled: bool) -> Ways:
        """Write the sum of some terms, perhaps as a new leaf, and return the ways into it."""
        chosen = [self.values[-1]] + [self.rng.choice(self.values) for _ in range(terms - 1)]
        names, ways = [], []
        for value in chosen:
            name = f"t{self.fresh()}"
            mark = self.fresh()
            self.body.append(self.rng.choice(TERMS).format(t=name, a=value.name) + f"  #@{mark}")
            self._note_dead(value, mark)
            names.append(name)
            ways.append(value.ways)
            self._touch(value.ways, mark)
        self.body += self._sum(names)
        if relabelled:
            mark = self.fresh()
            self.body.append(self.rng.choice(RELABELS) + f"  #@{mark}")
            return _through(_merged(ways), CUT, mark)
        return _merged(ways)

    def _note_dead(self, value: _Value, mark: int) -> None:
        """Note a term without a gradient, or one that has it only where a rare layer runs."""
        states = {state for way in value.ways.values() for state, _ in way}
        often = {s for n, way in value.ways.items() if n not in self.rare for s, _ in way}
        if LIVE not in often and states - {LIVE}:
            blamed = {m for way in value.ways.values() for _, ms in way for m in ms}
            self.dead_terms.append((frozenset(value.ways), {mark, *blamed}, states == {CUT}))

    def _sum(self, names: list[str]) -> list[str]:
        joined = ", ".join(names)
        return self.rng.choice([
            ["loss = " + " + ".join(names)],
            ["loss = " + " + 0.5 * ".join(names)],
            [f"loss = sum([{joined}])"],
            [f"loss = torch.stack([{joined}]).sum()"],
            [f"losses = dict(enumerate([{joined}]))", "loss = sum(losses.values())"],
            ["loss = torch.zeros(())", *[f"loss = loss + {n}" for n in names]],
            [f"loss = torch.stack([{joined}]).mean()"],
        ])  # fmt: skip

    # -- the text

    def text(self) -> str:
        lines = [*self.above, "", "class Model(pl.LightningModule):", "    def __init__(self):",
                 "        super().__init__()",
                 "        self.register_buffer('coefficients', torch.randn(4, 3))",
                 "        self.register_buffer('running', torch.zeros(3))",
                 *[f"        {line}" for line in self.init],
                 "        self.keep = nn.Identity()", "",
                 "    def training_step(self, batch, batch_idx):", "        (x,) = batch",
                 *[f"        {line}" for line in self.body], "        return loss", "",
                 "    def configure_optimizers(self):",
                 "        return torch.optim.SGD(self.parameters(), lr=0.01)", ""]  # fmt: skip
        return _PRELUDE + "\n".join(lines)


def write(rng: random.Random, size: int = 12) -> Program:
    """Write one program.

    Args:
        rng: the source of every choice.
        size: largest number of operations between the first layer and the loss.
    """
    writer = _Writer(rng)
    faults = rng.choice([0.0, 0.1, 0.4, 0.8])
    writer.layer(LAYERS[:8])
    for _ in range(rng.randint(1, size)):
        _statement(writer, rng, faults)
    ways = writer.loss(rng.randint(1, 3), relabelled=rng.random() < 0.06 * faults)
    return _program(writer, ways)


def _statement(writer: _Writer, rng: random.Random, faults: float) -> None:
    """Write one random statement."""
    kind = rng.choices(["layer", "row", "join", "aside", "odd"], [9, 9, 9, 3, faults])[0]
    bad = rng.random() < faults
    if kind == "layer":
        writer.layer(LAMED if bad else LAYERS)
    elif kind == "row":
        writer.row(rng.choice([CUTTING, KILLING]) if bad else PASSING)
    elif kind == "join":
        writer.row(JOINING if bad else _SMOOTH)
    elif kind == "odd":
        writer.row(rng.choice([REFUSED, BREAKING]))
    else:
        writer.aside()


def _program(writer: _Writer, ways: Ways) -> Program:
    source, places = _places(writer.text())
    expected = Expectation(rare=writer.rare)
    for name, made in writer.params.items():
        way = ways.get(name, frozenset())
        states = {ZERO if state == WRITTEN else state for state, _ in way}
        state = LIVE if LIVE in states else ZERO if ZERO in states else CUT
        expected.state[name] = state
        marks = {
            mark
            for s, blamed in way
            if s in {state, STOPPED, OVER} or state == ZERO
            for mark in blamed
        }
        if not way:
            marks = writer.touched.get(name, set()) | {made}
        if way and state == CUT:
            expected.cut.add(name)
        if name in writer.rare:
            marks |= {made}  # in the traced step it may not have run
        expected.lines[name] = {line for mark in marks for line in places.get(mark, ())}
    for names, blamed, surely in writer.dead_terms:
        lines = {line for mark in blamed for line in places.get(mark, ())}
        expected.dead_terms.append((names, lines, surely))
    expected.refused = {line for mark in writer.refused for line in places.get(mark, ())}
    return Program(source, expected)


def _marked(line: str, names: Mapping[str, object], blame: int, other: int) -> str:
    """Fill a template line in and end it with its mark."""
    mark = blame if line.endswith(BLAME) else other
    return f"{line.removesuffix(BLAME).format(**names)}  #@{mark}"


def _places(text: str) -> tuple[str, dict[int, set[int]]]:
    """Take the marks out of a text and return the lines they stood on."""
    places: dict[int, set[int]] = {}
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        plain, _, mark = line.partition("  #@")
        lines.append(plain)
        if mark:
            places.setdefault(int(mark), set()).add(number)
    return "\n".join(lines) + "\n", places


def _through(ways: Ways, effect: str, mark: int) -> Ways:
    if effect in {LIVE, REFUSES}:
        return ways
    if effect == UNREAD:
        return {}
    after = {n: [_step(s, m, effect, mark) for s, m in way] for n, way in ways.items()}
    kept = {n: frozenset(w for w in way if w[0] != UNREAD) for n, way in after.items()}
    return {n: way for n, way in kept.items() if way}


def _step(state: str, blamed: frozenset[int], effect: str, mark: int) -> Way:
    """Return what becomes of one way: a cut hides what comes after it, zeros add up."""
    if state == CUT:
        return UNREAD if effect == WRITTEN else state, blamed
    if state in {WRITTEN, OVER} and effect == CUT:
        return UNREAD, blamed
    if OVER in {state, effect} or {state, effect} == {STOPPED, WRITTEN}:
        return OVER, blamed | {mark}
    if state == STOPPED:
        return CUT if effect == CUT else STOPPED, blamed | {mark}
    if state in {ZERO, WRITTEN} and effect in {ZERO, WRITTEN}:
        return WRITTEN if WRITTEN in {state, effect} else ZERO, blamed | {mark}
    return effect, frozenset({mark})


def _merged(many: Iterable[Ways]) -> Ways:
    merged: dict[str, frozenset[Way]] = {}
    for ways in many:
        for name, way in ways.items():
            merged[name] = merged.get(name, frozenset()) | way
    return merged
