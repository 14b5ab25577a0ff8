"""Lets Rasa 3.6 be imported, trained and served without TensorFlow and the channel SDKs it names but never needs here.

A `.pth` line loads this file at interpreter start (see install.py), so it covers `rasa`, `python -m`, pytest and
every subprocess. Three promises:

* A package that is really installed wins: our finder stands last in `sys.meta_path`.
* Only Rasa's own modules see a stand-in. Everybody else's `try: import tensorflow` fails as it should.
* A stand-in is never silently used. Module bodies and decorators may call one while they are being imported;
  any other call is an error that names the missing package. A component that needs one is refused by name,
  before training starts and when a model is loaded.
"""

import sys

# What a requirement is called on the package index, and the import names it brings.
LEFT_OUT = {
    "tensorflow": "tensorflow",
    "tensorflow_text": "tensorflow-text",
    "tensorflow_hub": "tensorflow-hub",
    "tensorflow_addons": "tensorflow-addons",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "aio_pika": "aio-pika",
    "aiormq": "aio-pika",
    "aiogram": "aiogram",
    "boto3": "boto3",
    "botocore": "boto3",
    "confluent_kafka": "confluent-kafka",
    "fbmessenger": "fbmessenger",
    "google.auth": "google-auth",
    "google.oauth2": "google-auth",
    "google.cloud": "google-cloud-storage",
    "mattermostwrapper": "mattermostwrapper",
    "psycopg2": "psycopg2-binary",
    "pymongo": "pymongo",
    "rocketchat_API": "rocketchat_API",
    "sentry_sdk": "sentry-sdk",
    "structlog_sentry": "structlog-sentry",
    "twilio": "twilio",
    "webexteamssdk": "webexteamssdk",
}

# Refused by name whatever their modules hold: the check by stand-in (below) finds these and their subclasses.
TENSORFLOW_COMPONENTS = frozenset(
    {
        "DIETClassifier",
        "ResponseSelector",
        "TEDPolicy",
        "UnexpecTEDIntentPolicy",
        "LanguageModelFeaturizer",
        "ConveRTFeaturizer",
    }
)

_ModuleType = type(sys)


def _package_of(name):
    """The index name of the left-out package that an import name belongs to, or None."""
    parts = name.split(".")
    return LEFT_OUT.get(parts[0]) or LEFT_OUT.get(".".join(parts[:2]))


def _rasa_error(sentence):
    from rasa.shared.exceptions import RasaException

    return RasaException(sentence)


def _missing(path):
    package = _package_of(path) or path
    return _rasa_error(
        f"{path} was called, but {package} is left out of this installation. "
        f"Install {package} into the bot environment to use it."
    )


def _importing():
    """True while a module or class body is running: the caller's frames show it."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_name
        if name == "<module>":
            # The module that is being imported, not the program's own main module.
            return frame.f_globals.get("__name__") != "__main__"
        if not (name.startswith("<") or "__qualname__" in frame.f_locals):
            return False
        frame = frame.f_back
    return False


class StandIn:
    """Stands for one name inside a left-out package: good for annotations, base classes and decorators only."""

    def __init__(self, path):
        self._path = path
        self.__name__ = self.__qualname__ = path.rpartition(".")[2]
        self.__module__ = path.rpartition(".")[0]

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        child = StandIn(f"{self._path}.{name}")
        self.__dict__[name] = child
        return child

    def __call__(self, *args, **kwargs):
        if len(args) == 1 and not kwargs and (isinstance(args[0], type) or hasattr(args[0], "__code__")):
            return args[0]  # a plain decorator
        if _importing():
            return self
        raise _missing(self._path)

    def __mro_entries__(self, bases):
        return (type(self.__name__, (), {"__module__": __name__, "__segue_stand_in__": self._path}),)

    def __getitem__(self, key):
        return self

    def __or__(self, other):
        return self

    __ror__ = __or__

    def __instancecheck__(self, instance):
        return False

    def __subclasscheck__(self, cls):
        return False

    def __repr__(self):
        return f"<stand-in for {self._path}, which is not installed>"


class StandInModule(_ModuleType):
    """A module of a left-out package; every name in it is a StandIn."""

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        child = StandIn(f"{self.__name__}.{name}")
        self.__dict__[name] = child
        return child


class NoSentry:
    """Passes a log line on; what Rasa would have sent to its own error collector stays here."""

    def __init__(self, **settings):
        pass

    def __call__(self, logger, name, event):
        return event


def _asked_by_rasa():
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("importlib") and module != __name__:
            return module == "rasa" or module.startswith("rasa.")
        frame = frame.f_back
    return False


class StandInFinder:
    """The last finder: answers for left-out packages when a module of Rasa asks."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if _package_of(name) is None or not _asked_by_rasa():
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, StandInFinder, is_package=True)

    @staticmethod
    def create_module(spec):
        return StandInModule(spec.name)

    @staticmethod
    def exec_module(module):
        module.__path__ = []
        if module.__name__ == "structlog_sentry":
            # Rasa's command line puts this into every log line's way: the one stand-in that has to work.
            module.SentryProcessor = NoSentry


def missing_package_of(component):
    """The left-out package that a component class cannot work without, or None."""
    for cls in component.__mro__:
        module = sys.modules.get(cls.__module__)
        for value in list(vars(module).values()) if module else ():
            if isinstance(value, (StandIn, StandInModule)):
                return _package_of(value.__name__ if isinstance(value, StandInModule) else value._path)
    if component.__name__ in TENSORFLOW_COMPONENTS and isinstance(sys.modules.get("tensorflow"), StandInModule):
        return "tensorflow"
    return None


def refuse(component):
    """Raises a RasaException when a component class needs a package that is left out."""
    package = missing_package_of(component)
    if package is not None:
        raise _rasa_error(
            f"{component.__name__} needs {package}, which this installation leaves out. "
            f"Use another component in config.yml, or install {package} into the bot environment."
        )


def _hook_recipe(module):
    recipe = module.DefaultV1Recipe
    look_up = recipe._from_registry.__func__

    def _from_registry(cls, name):
        registered = look_up(cls, name)
        refuse(registered.clazz)
        return registered

    recipe._from_registry = classmethod(_from_registry)


def _hook_graph(module):
    node = module.GraphNode
    construct = node.__init__

    def construct_unless_refused(self, node_name, component_class, *args, **kwargs):
        refuse(component_class)
        construct(self, node_name, component_class, *args, **kwargs)

    node.__init__ = construct_unless_refused


_HOOKS = {"rasa.engine.recipes.default_recipe": _hook_recipe, "rasa.engine.graph": _hook_graph}


class HookFinder:
    """The first finder, for two module names only: lets the refusal in as soon as these modules are loaded."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hook = _HOOKS.get(name)
        if hook is None:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            hook(module)

        spec.loader.exec_module = exec_module
        return spec


def install():
    """Puts both finders in place, once."""
    if HookFinder not in sys.meta_path:
        sys.meta_path.insert(0, HookFinder)
        sys.meta_path.append(StandInFinder)


install()
