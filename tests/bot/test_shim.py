"""The import shim: Rasa without TensorFlow, precise about what it refuses."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys

import pytest
import segue_rasa_shim as shim
from rasa.engine.recipes.default_components import DEFAULT_COMPONENTS
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.classifiers.diet_classifier import DIETClassifier
from rasa.nlu.classifiers.logistic_regression_classifier import LogisticRegressionClassifier
from rasa.shared.exceptions import RasaException

SHIM = pathlib.Path(__file__).parents[2] / "bot" / "shim"


def load_installer():
    spec = importlib.util.spec_from_file_location("shim_install", SHIM / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_exactly_the_six_tensorflow_components_are_refused():
    refused = {component.__name__ for component in DEFAULT_COMPONENTS if shim.missing_package_of(component)}
    assert shim.TENSORFLOW_COMPONENTS == refused


@pytest.mark.parametrize("name", sorted(shim.TENSORFLOW_COMPONENTS))
def test_training_refuses_a_tensorflow_component_with_a_sentence(name):
    with pytest.raises(RasaException, match=f"{name} needs tensorflow, which this installation leaves out"):
        DefaultV1Recipe._from_registry(name)


def test_training_accepts_a_light_component():
    assert LogisticRegressionClassifier is DefaultV1Recipe._from_registry("LogisticRegressionClassifier").clazz


def test_loading_a_model_refuses_a_tensorflow_component():
    from rasa.engine.graph import GraphNode

    with pytest.raises(RasaException, match="DIETClassifier needs tensorflow"):
        GraphNode("x", DIETClassifier, "load", {}, "process", {}, False, None, None, None)


def test_a_subclass_of_a_refused_component_is_refused_too():
    class Mine(DIETClassifier):
        pass

    assert "tensorflow" == shim.missing_package_of(Mine)


def test_a_stand_in_that_is_called_names_the_missing_package():
    import rasa.utils.plotting as plotting

    with pytest.raises(RasaException, match="matplotlib is left out of this installation"):
        plotting.matplotlib.get_backend()


def test_code_that_is_not_rasas_sees_no_stand_in():
    done = run("import tensorflow_text")
    assert 1 == done.returncode
    assert "ModuleNotFoundError: No module named 'tensorflow_text'" in done.stderr


def test_a_really_installed_package_wins_over_its_stand_in(tmp_path):
    (tmp_path / "fbmessenger.py").write_text("REAL = True\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "exec('import fbmessenger', {'__name__': 'rasa.pretend'}); print(sys.modules['fbmessenger'].REAL)"
    )
    assert "True\n" == run(code, str(tmp_path)).stdout


def test_the_shim_adds_almost_nothing_to_the_start_of_an_interpreter():
    done = run("import sys; print(sorted(m for m in sys.modules if m.split('.')[0] in ('rasa', 'sklearn', 'numpy')))")
    assert "[]\n" == done.stdout


def test_installing_twice_changes_nothing_the_second_time(tmp_path):
    installer = load_installer()
    assert installer.install(tmp_path) is True
    assert installer.install(tmp_path) is False
    assert {"segue_rasa_shim.py", "segue_rasa_shim.pth"} == {path.name for path in tmp_path.iterdir()}


def test_an_outdated_shim_is_replaced(tmp_path):
    installer = load_installer()
    (tmp_path / "segue_rasa_shim.py").write_text("old")
    assert installer.install(tmp_path) is True
    assert (SHIM / "segue_rasa_shim.py").read_bytes() == (tmp_path / "segue_rasa_shim.py").read_bytes()
