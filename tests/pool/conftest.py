"""The whole system without a browser: these tests have loops of their own, beside which Playwright cannot run."""

from e2e.conftest import system as system
