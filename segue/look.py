"""Settings of how the widget shows itself: in [widget] for all sites, in [sites.<key>] for one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Part):
    """A sentence in both languages: { "pt-BR" = "…", en = "…" }."""

    pt_br: Annotated[str, Field(alias="pt-BR", min_length=1, max_length=500)]
    en: Annotated[str, Field(min_length=1, max_length=500)]

    def by_language(self) -> dict[str, str]:
        return {"pt-BR": self.pt_br, "en": self.en}


class Notice(_Part):
    """What a visitor reads before anything leaves the browser."""

    text: Words
    url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    """Empty: the brand's privacy page."""
    must_accept: bool = False


class FormQuestion(_Part):
    """One question before the first message."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
    label: Words
    type: Literal["text", "email", "tel", "choice"] = "text"
    required: bool = False
    options: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=80)], ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _a_choice_has_options(self) -> Self:
        if (self.type == "choice") != bool(self.options):
            raise ValueError("options belong to the type choice, which needs them")
        return self


class Look(_Part):
    color: Annotated[str, Field(pattern=r"^(#[0-9a-fA-F]{6})?$")] | None = None
    notice: Notice | None = None
    form: Annotated[tuple[FormQuestion, ...], Field(max_length=8)] | None = None
    reply_time: Words | None = None
    """For example "We answer within minutes": only what is true."""
    upload: bool | None = None
    """Whether visitors may send files; they may unless it is said otherwise."""
