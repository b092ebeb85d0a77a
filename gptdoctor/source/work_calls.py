"""Which calls do work rather than define something, told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What an unneeded statement would do, by kind; the first pattern that matches the whole qualified
# name decides.  The names are those of the libraries that single-file scripts use.
_WORK = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "download",
            r"(?:requests|httpx|wget|gdown|kagglehub|urllib3|boto3|aiohttp|ftplib)\..*"
            r"|urllib\.request\..*|(?:.*\.)?(?:urlopen|urlretrieve|urlcleanup)"
            r"|nltk\.download|torch\.hub\..*|.*\.load_state_dict_from_url"
            r"|(?:.*\.)?(?:hf_hub_download|snapshot_download|load_dataset|from_pretrained"
            r"|download\w*|push_to_hub)|gensim\.downloader\..*",
        ),
        (
            "window",
            r"matplotlib\.pyplot\..*|matplotlib\.(?:figure|animation)\..*|seaborn\..*|plotly\..*"
            r"|(?:tkinter|turtle|pygame|PyQt\d|PySide\d|wx|curses|pyglet|streamlit|gradio)\..*"
            r"|cv2\.(?:imshow|waitKey|namedWindow|VideoCapture|destroy\w+)"
            r"|(?:.*\.)?(?:mainloop|imshow)|IPython\..*|display",
        ),
        (
            "arguments",
            r"argparse\..*|optparse\..*|click\..*|fire\.Fire|docopt\..*|absl\.app\.run|typer\.run"
            r"|hydra\..*|tyro\.cli|(?:.*\.)?(?:ArgumentParser|parse_args|parse_known_args"
            r"|HfArgumentParser|add_argument\w*|parse_args_into_dataclasses)"
            r"|input|getpass\..*",
        ),
        (
            "training",
            r"wandb\..*|mlflow\..*|neptune\..*|comet_ml\..*|clearml\..*|aim\..*"
            r"|torch\.(?:distributed|multiprocessing)\..*|torch\.optim\..*|deepspeed\..*|ray\..*"
            r"|(?:.*\.)?(?:init_process_group|SummaryWriter|DataLoader|Accelerator|Trainer"
            r"|backward|zero_grad|optimizer|Adam|AdamW|SGD|GradScaler)"
            r"|.*\.(?:fit|train|step|test|validate|fit_transform|state_dict|load_state_dict"
            r"|generate|cuda|eval|to|half|bfloat16)"
            r"|torch\.(?:compile|save)|train|evaluate|train_\w+|.*_train",
        ),
        (
            "data",
            r"open|io\.open|gzip\.open|codecs\.open|torch\.load|pickle\.load|json\.load"
            r"|yaml\.\w*load\w*|numpy\.(?:load|memmap|loadtxt|fromfile|genfromtxt)|h5py\..*"
            r"|pandas\.read_\w+|sqlite3\..*|tomllib\.load|safetensors\..*|datasets\..*"
            r"|.*\.(?:read_text|read_bytes|mkdir|read_csv|write_text|unlink)"
            r"|os\.(?:listdir|walk|makedirs|mkdir|remove|scandir|rename|system|chdir|popen)"
            r"|glob\..*|shutil\..*|subprocess\..*|zipfile\..*|tarfile\..*",
        ),
        (
            "call",
            r"exit|quit|sys\.exit|os\._exit|os\.(?:fork|kill|abort|exec\w*)|time\.sleep"
            r"|asyncio\.run|uvicorn\.run|.*\.(?:run|serve|serve_forever|start|join|launch|listen)"
            r"|threading\..*|multiprocessing\..*|concurrent\..*|socket\..*|http\.server\..*",
        ),
    )
)
# Reaches for the network or a person whatever it is needed for: never run.
NEVER_RUN = re.compile(
    r"(?:requests|httpx|wget|gdown|kagglehub|urllib3|boto3|aiohttp|ftplib)\..*"
    r"|urllib\.request\..*|(?:.*\.)?(?:urlopen|urlretrieve)|nltk\.download|torch\.hub\..*"
    r"|(?:tkinter|turtle|pygame|PyQt\d|PySide\d|wx|curses|pyglet|streamlit|gradio)\..*"
    r"|cv2\.(?:imshow|waitKey|namedWindow|VideoCapture)|input|getpass\..*|time\.sleep"
)
# Settings of libraries and of the interpreter: what follows may rely on them.
_SETTINGS = re.compile(
    r"(?:.*\.)?(?:manual_seed(?:_all)?|seed|seed_everything|set_seed|filterwarnings|simplefilter"
    r"|basicConfig|setdefault|register\w*|load_dotenv|wrap|add_safe_globals|set_default_\w+"
    r"|set_float32_matmul_precision|setrecursionlimit|disable_progress_bars?|reset_defaults"
    r"|set_verbosity\w*|set_num_threads|set_printoptions|use_deterministic_algorithms|setLevel"
    r"|addHandler|captureWarnings|disable_caching|set_option|install)"
    r"|sys\.path\.\w+|os\.environ\.\w+|matplotlib\.use|random\.seed|setattr|globals\.update"
    r"|torch\.(?:backends|_dynamo|_inductor|library|serialization|fx)\..*|jax\.config\.\w+"
)
# Cheap, and without effect on anything else.
_CHEAP = re.compile(
    r"(?:abs|all|any|bool|bytes|chr|dict|enumerate|filter|float|format|frozenset|getattr|hasattr"
    r"|hash|hex|id|int|isinstance|issubclass|iter|len|list|map|max|min|next|object|ord|pow|range"
    r"|repr|reversed|round|set|slice|sorted|str|sum|super|tuple|type|zip|property|vars|callable)"
    r"|(?:math|itertools|functools|operator|collections|re|typing|enum|dataclasses|string"
    r"|datetime|types|contextvars|numbers|fractions|decimal|copy|uuid|platform)\..*"
    r"|os\.(?:path\..*|getenv|environ\.get|getcwd|cpu_count)|pathlib\..*|time\.\w+"
    r"|logging\.getLogger|torch\.(?:device|dtype|Size|finfo|iinfo|Generator)"
    r"|torch\.(?:cuda|mps|xpu|backends\.\w+)\.(?:is_\w+|device_count|get_\w+)"
    r"|importlib\.(?:import_module|util\.find_spec|metadata\.version)|TypeVar|Enum|NewType"
    r"|.*\.(?:get|keys|values|items|format|join|split|strip|lower|upper|replace|copy|index|count"
    r"|startswith|endswith|encode|title|union|resolve|absolute|exists|is_file|is_dir|is_available)"
)


def kind_of(names: Iterable[str]) -> str | None:
    """The kind of work that calls of these qualified names do; None: none that is known."""
    called = list(names)
    for kind, pattern in _WORK:
        if any(pattern.fullmatch(name) for name in called):
            return kind
    return None


def is_setting(name: str) -> bool:
    """Whether a call only sets something for the code that follows."""
    return _SETTINGS.fullmatch(name) is not None


def is_cheap(name: str) -> bool:
    """Whether a call is known to cost nothing and to change nothing."""
    return _CHEAP.fullmatch(name) is not None


def never_runs(name: str) -> bool:
    """Whether a call asks the network or a person for something."""
    return NEVER_RUN.fullmatch(name) is not None
