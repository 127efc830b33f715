"""File names out of Content-Disposition (RFC 6266, RFC 8187), and what is left of hostile ones."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from samples import fixture

from cloudlayer_async.disposition import disposition_filename
from cloudlayer_async.files import MAX_NAME_BYTES, safe_filename


@pytest.mark.parametrize(
    ("value", "name"),
    [
        # RFC 6266 section 5.
        ("Attachment; filename=example.html", "example.html"),
        ('INLINE; FILENAME= "an example.html"', "an example.html"),
        ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates"),
        ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", "€ rates"),
        # RFC 8187 section 3.2.3.
        ("attachment; filename*=iso-8859-1'en'%A3%20rates", "£ rates"),
        ("attachment; filename*=UTF-8''%c2%a3%20and%20%e2%82%ac%20rates", "£ and € rates"),
        # Order does not matter, nor does the language, nor case.
        ("attachment; filename*=UTF-8'de'%C3%A9.pdf; filename=e.pdf", "é.pdf"),
        ("attachment;FileName*=utf-8''a.pdf", "a.pdf"),
        # Quoting.
        (r'attachment; filename="a \"quoted\" \\ name.pdf"', r'a "quoted" \ name.pdf'),
        ('attachment; filename="semi;colon.pdf"', "semi;colon.pdf"),
        ('attachment; filename="a=b.pdf"', "a=b.pdf"),
        ("attachment; filename=march statement.pdf", "march statement.pdf"),
        ("attachment; filename=spaced.pdf ; size=5", "spaced.pdf"),
        ("attachment ; filename = x.pdf", "x.pdf"),
        ('attachment;\tfilename="x.pdf"', "x.pdf"),
        ("filename=x.pdf", "x.pdf"),
        ('attachment; filename="unterminated.pdf', "unterminated.pdf"),
        ("attachment; filename=\"\"; filename*=UTF-8''", None),
        ('attachment; filename=""', None),
        # Only what is named so counts; the first counts.
        ('attachment; xfilename=no.pdf; name="no.pdf"', None),
        ('attachment; x="; filename=no.pdf"', None),
        ("attachment; filename=one.pdf; filename=two.pdf", "one.pdf"),
        ("attachment; filename*=UTF-8''one.pdf; filename*=UTF-8''two.pdf", "one.pdf"),
        ("attachment", None),
        ("inline", None),
        ("", None),
        (None, None),
        (";;;=;", None),
        # An extended value that cannot be decoded is passed over.
        ("attachment; filename=plain.pdf; filename*=UTF-8''%ff%fe", "plain.pdf"),
        ("attachment; filename=plain.pdf; filename*=klingon''x", "plain.pdf"),
        ("attachment; filename=plain.pdf; filename*=nothing", "plain.pdf"),
        ("attachment; filename*=UTF-8''%zz", "%zz"),
        # Codecs of Python's that are no charsets are not run on what a server sends.
        (r"attachment; filename=plain.pdf; filename*=unicode_escape''\q", "plain.pdf"),
        ("attachment; filename=plain.pdf; filename*=idna''xn--x", "plain.pdf"),
        ("attachment; filename=plain.pdf; filename*=base64''QQ==", "plain.pdf"),
        ("attachment; filename=plain.pdf; filename*=undefined''x", "plain.pdf"),
        # Percent signs mean nothing in a plain value.
        ("attachment; filename=100%25.pdf", "100%25.pdf"),
        # Bytes that are not ASCII, as aiohttp hands them over.
        ("attachment; filename=é.pdf", "é.pdf"),
        (b'attachment; filename="\xc3\xa9.pdf"'.decode("utf-8", "surrogateescape"), "é.pdf"),
        (b'attachment; filename="\xe9.pdf"'.decode("utf-8", "surrogateescape"), "é.pdf"),
        ("attachment; filename=\ud83d.pdf", "?.pdf"),
    ],
)
def test_names(value: str | None, name: str | None) -> None:
    assert disposition_filename(value) == name


def test_the_fixtures_names() -> None:
    assert disposition_filename(fixture("response_headers_limit_plan")["Content-Disposition"]) == "march statement.pdf"
    assert disposition_filename(fixture("response_headers_usage_plan")["Content-Disposition"]) == "résumé.pdf"


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="..\\..\\windows\\system.ini"', "system.ini"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''%00%01evil%0d%0a.pdf", "evil.pdf"),
        ("attachment; filename*=UTF-8''%e2%80%aegnp.exe", "gnp.exe"),
        ("attachment; filename=/", "document"),
        ("attachment; filename=..", "document"),
        ("attachment; filename=C:evil.pdf", "C_evil.pdf"),
        ('attachment; filename="NUL"', "_NUL"),
        ("attachment; filename=~/.ssh/authorized_keys", "authorized_keys"),
        ('attachment; filename=".htaccess"', "htaccess"),
        ("attachment; filename=" + "x" * 5000 + ".pdf", "x" * (MAX_NAME_BYTES - 4) + ".pdf"),
    ],
)
def test_hostile_names_become_harmless(value: str, safe: str) -> None:
    assert safe_filename(disposition_filename(value)) == safe


@given(
    st.text() | st.text().map("attachment; filename={}".format) | st.text().map("inline; filename*=UTF-8''{}".format)
)
@example('attachment; filename="' + '\\"' * 5000)
@example("attachment" + ';a="' * 5000)
@example("attachment" + "; filename" * 5000)
@example(";" * 20_000)
@example("attachment; filename" + " " * 20_000)
def test_any_header_gives_a_name_or_none_and_its_safe_form_is_one_name(value: str) -> None:
    name = disposition_filename(value)
    assert name is None or name
    safe = safe_filename(name)
    assert safe == os.path.basename(safe) not in ("", ".", "..")
    assert not set(safe) & set('/\\<>:"|?*\x00\r\n')
    assert len(safe.encode()) <= MAX_NAME_BYTES


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_an_extended_name_comes_out_as_it_went_in(name: str) -> None:
    assert disposition_filename(f"attachment; filename*=UTF-8''{quote(name, safe='')}") == name


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_a_quoted_name_comes_out_as_it_went_in(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert disposition_filename(f'attachment; filename="{quoted}"; x=y') == name
