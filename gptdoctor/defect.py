"""The form that every defect fills in.

A defect is a frozen value, `DEFECT`, at the end of its file in `defects/<family>/<name>.py`. Its
handlers are plain functions above it. It knows no torch: `suspects` reads the text, `convicts`
reads measurements.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gptdoctor.core.findings import Confidence, Conviction, Severity, Suspicion, Value
from gptdoctor.core.measurements.measurement import Measurement
from gptdoctor.core.measurements.record import ModelRecord
from gptdoctor.core.repairs import FixPromise
from gptdoctor.source.classes import FUNCTIONS, ClassInfo, FunctionNode
from gptdoctor.source.flow_functions import Function, functions_of, script_of
from gptdoctor.source.module import SourceModule
from gptdoctor.source.project import Project

# A node and those around it, innermost first, as pairs: (function, (class, (module, None))).
Chain = tuple[ast.AST, "Chain"] | None
# The main models of a module, or the way to find them out, which is dear.
Models = tuple[str, ...] | Callable[[], tuple[str, ...]]
_NAMED = (ast.ClassDef, *FUNCTIONS)
_LOOPS = (ast.For, ast.While)


class Visit:
    """Where the walk of a tree stands when a handler is called.

    Most handlers look at their node and turn away, so all that is said of its place is made when
    it is asked for; and what is found out for one handler of a node is there for the next.
    """

    __slots__ = ("_chain", "_flow", "_models", "_owner", "module", "project")

    def __init__(
        self,
        *,
        project: Project,
        module: SourceModule,
        parents: tuple[ast.AST, ...] = (),
        chain: Chain = None,
        models: Models = (),
    ) -> None:
        """`parents` or, where a walk has it, the `chain` that they are."""
        self.project = project
        self.module = module
        self._models = models
        for parent in parents:
            chain = (parent, chain)
        self._chain = chain
        # Many rules ask of one node, one after the other; None: nobody has.
        self._flow: tuple[Function | None] | None = None
        self._owner: tuple[ClassInfo | None] | None = None

    @property
    def parents(self) -> tuple[ast.AST, ...]:
        """The nodes around the node, outermost (the ast.Module) first."""
        return tuple(self._outwards())[::-1]

    @property
    def parent(self) -> ast.AST | None:
        """The node directly around the node."""
        return None if self._chain is None else self._chain[0]

    @property
    def models(self) -> tuple[str, ...]:
        """The qualified names of the main models of this module."""
        return self._models if isinstance(self._models, tuple) else self._models()

    @property
    def asked_models(self) -> Models:
        """The same, or the way to them, for those who seldom need to know."""
        return self._models

    @property
    def function(self) -> FunctionNode | None:
        """The innermost function around the node."""
        chain = self._chain
        while chain is not None:
            parent, chain = chain
            if isinstance(parent, FUNCTIONS):
                return parent
        return None

    @property
    def in_loop(self) -> bool:
        """Whether the node is inside a loop of its function, or of the module."""
        around = (one for one in self._outwards() if isinstance(one, _LOOPS + FUNCTIONS))
        return isinstance(next(around, None), _LOOPS)

    @property
    def flow(self) -> Function | None:
        """The innermost function around the node, with the bindings of its names."""
        if self._flow is None:
            self._flow = (self._find_flow(),)
        return self._flow[0]

    @property
    def scope(self) -> Function:
        """The same, or the statements of the script where no function is around the node."""
        return self.flow or script_of(self.module)

    def _find_flow(self) -> Function | None:
        function = self.function
        return None if function is None else functions_of(self.project, self.module)[function]

    @property
    def owner(self) -> ClassInfo | None:
        """The innermost class around the node."""
        if self._owner is None:
            self._owner = (self._find_owner(),)
        return self._owner[0]

    def _find_owner(self) -> ClassInfo | None:
        names: list[str] = []
        chain = self._chain
        while chain is not None:
            parent, chain = chain
            if isinstance(parent, ast.ClassDef):
                names.insert(0, parent.name)
        classes = self.project.classes(self.module) if names else {}
        while names:
            info = classes.get(".".join(names))
            if info is not None:
                return info
            names.pop()
        return None

    @property
    def symbol(self) -> str:
        """The qualified name of the function or class around the node, "" at module level."""
        around = [one.name for one in self._outwards() if isinstance(one, _NAMED)]
        return ".".join(reversed(around))

    def _outwards(self) -> Iterator[ast.AST]:
        """The nodes around the node, innermost first."""
        chain = self._chain
        while chain is not None:
            parent, chain = chain
            yield parent


@dataclass(frozen=True)
class Named:
    """Nodes of one kind that bear one of these names, as they stand in the text.

    The name of a call is the last one of what it calls: "softmax" in `F.softmax(x)`, in
    `x.softmax(-1)` and in `softmax(x)`; that of an attribute is its own, and that of a function
    or class the one that it is defined under.  A file without any of the names is not read for
    the handler's sake.
    """

    kind: type[ast.AST]
    names: tuple[str, ...]


@dataclass(frozen=True)
class NamedIn:
    """Nodes of one kind that bear a name which their own module gives a meaning.

    `names` is asked once for each module.
    """

    kind: type[ast.AST]
    names: Callable[[Project, SourceModule], frozenset[str]]


def calls(*names: str) -> Named:
    """Calls of anything whose last name is one of these."""
    return Named(ast.Call, names)


def attributes(*names: str) -> Named:
    """Attributes of one of these names, read or written."""
    return Named(ast.Attribute, names)


# What a handler is called for.  A kind without names has to be one of statements: expressions are
# looked at for their names alone, or the scan would be as slow as the number of its rules.
Trigger = type[ast.AST] | Named | NamedIn
SuspectHandler = Callable[[ast.AST, Visit], Iterator[Suspicion]]
ConvictHandler = Callable[[Measurement, ModelRecord], Iterator[Conviction]]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How a test of the user's own shows a defect, without gptdoctor.

    `measures` are the functions whose source the test carries, "probes.shapes:row_influence": the
    ones that convicted.  `test` gives the statements of the test for the values of a finding's
    evidence, "" where these allow none.  They fail by an `assert` with a reason, or by the user's
    own exception, and may use

    - `build()`, the tiny model in training mode; `random_ids(seed=0, batch=B, length=T)`, and
      `other_ids(ids)`, which differ from those at every position;
    - `run(model, ids, seed=0, **more)`, what its call returns, with more keywords for the call;
    - `logits(model, ids, seed=0, **more)`, [B, T, V];
    - `loss(model, ids)`, a scalar in nats, the model's own where it has one; with `labels`, where
      it takes any, and `labels_of(ids)`, what it wants for them; `loss_and_logits(model, ids,
      labels)`, of one call;
    - `with_known_logits(model, *known)`, the model whose calls give these logits one by one, [V]
      or [B, 1, V], and the last of them from then on; without gradients alone;
    - `sharpened(model)`, the model whose draws are as good as greedy; without gradients alone;
    - B, T and V; and MODULE, the name that the model's file is imported by.
    """

    measures: tuple[str, ...] = ()
    test: Callable[[Mapping[str, Value]], str]


@dataclass(frozen=True, kw_only=True)
class Defect:
    """What one defect is, how it is seen, how much it harms, and the fix it promises."""

    code: str  # "GD101"
    name: str  # the file's name with "-" for "_"
    severity: Severity
    summary: str  # one sentence: what the code does wrong
    explanation: str  # how to recognise it, and what is not meant
    harm: str  # why it hurts training or generation
    confirmed_by: str  # how a probe confirms and refutes it
    # A short example; the text must show the defect, or, where no text can, a run of it must.
    sick: str
    healed: str  # the same, mended; nothing may show anything
    suspects: Mapping[Trigger, SuspectHandler] = field(default_factory=dict)
    # Texts of which one stands in every file that a trigger without names can fire on; where it
    # says nothing, the rule looks at every file.
    words: tuple[str, ...] = ()
    # How often the text alone is right where it suspects; a run settles the rest.
    confidence: Confidence = Confidence.HIGH
    convicts: Mapping[str, ConvictHandler] = field(default_factory=dict)  # by probe's name
    fix: FixPromise | None = None
    # Codes of what a run shows as well where this defect is: confirmed by the same model, it is
    # the root, and those are told under it as its symptoms.
    explains: tuple[str, ...] = ()
    # The same, where they show at lines of other classes: by what the defect does to the model.
    explains_elsewhere: tuple[str, ...] = ()
    proof: Proof | None = None  # None: no short test shows it
    # No handler raises it: it is about the user's comments, and known when all findings are.
    of_comments: bool = False

    @property
    def in_text(self) -> bool:
        """Whether the text can raise the suspicion; else only a run shows the defect."""
        return bool(self.suspects)
