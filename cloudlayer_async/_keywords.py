"""The keyword options of the conversion methods, for type checkers and editors."""

# GENERATED from requests.py: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from .options import (
    JSON,
    BasicAuth,
    Cookie,
    HeaderFooter,
    ImageType,
    Length,
    Margin,
    Milliseconds,
    PageFormat,
    Preview,
    UserStorage,
    Viewport,
    WaitForSelector,
    WaitUntil,
)
from .requests import HtmlSource


class UrlToPdfOptions(TypedDict, total=False):
    """Keyword options of `UrlToPdf`."""

    batch: Sequence[str] | None
    authentication: BasicAuth | None
    cookies: Sequence[Cookie] | None
    format: PageFormat | None
    margin: Margin | None
    print_background: bool | None
    header_template: HeaderFooter | None
    footer_template: HeaderFooter | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class UrlToImageOptions(TypedDict, total=False):
    """Keyword options of `UrlToImage`."""

    batch: Sequence[str] | None
    authentication: BasicAuth | None
    cookies: Sequence[Cookie] | None
    image_type: ImageType | None
    quality: int | None
    transparent: bool | None
    trim: bool | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class HtmlToPdfOptions(TypedDict, total=False):
    """Keyword options of `HtmlToPdf`."""

    format: PageFormat | None
    margin: Margin | None
    print_background: bool | None
    header_template: HeaderFooter | None
    footer_template: HeaderFooter | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class HtmlToImageOptions(TypedDict, total=False):
    """Keyword options of `HtmlToImage`."""

    image_type: ImageType | None
    quality: int | None
    transparent: bool | None
    trim: bool | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class TemplateToPdfOptions(TypedDict, total=False):
    """Keyword options of `TemplateToPdf`."""

    template_id: str | None
    template: HtmlSource | None
    data: Mapping[str, JSON] | None
    format: PageFormat | None
    margin: Margin | None
    print_background: bool | None
    header_template: HeaderFooter | None
    footer_template: HeaderFooter | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class TemplateToImageOptions(TypedDict, total=False):
    """Keyword options of `TemplateToImage`."""

    template_id: str | None
    template: HtmlSource | None
    data: Mapping[str, JSON] | None
    image_type: ImageType | None
    quality: int | None
    transparent: bool | None
    trim: bool | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class DocxToPdfOptions(TypedDict, total=False):
    """Keyword options of `DocxToPdf`."""

    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class DocxToHtmlOptions(TypedDict, total=False):
    """Keyword options of `DocxToHtml`."""

    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class PdfToDocxOptions(TypedDict, total=False):
    """Keyword options of `PdfToDocx`."""

    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class MergePdfsOptions(TypedDict, total=False):
    """Keyword options of `MergePdfs`."""

    authentication: BasicAuth | None
    cookies: Sequence[Cookie] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    extra: Mapping[str, JSON] | None


class DefaultOptions(TypedDict, total=False):
    """Options a client may send with every conversion whose kind has them."""

    authentication: BasicAuth | None
    cookies: Sequence[Cookie] | None
    format: PageFormat | None
    margin: Margin | None
    print_background: bool | None
    header_template: HeaderFooter | None
    footer_template: HeaderFooter | None
    wait_until: WaitUntil | None
    wait_for_selector: WaitForSelector | None
    wait_for_frame: bool | None
    wait_for_frame_attachment: bool | None
    wait_for_frame_navigation: WaitUntil | None
    wait_for_frame_images: bool | None
    wait_for_frame_selector: WaitForSelector | None
    prefer_css_page_size: bool | None
    scale: float | None
    width: Length | None
    height: Length | None
    landscape: bool | None
    page_ranges: str | None
    auto_scroll: bool | None
    viewport: Viewport | None
    time_zone: str | None
    emulate_media_type: Literal["screen", "print"] | None
    name: str | None
    timeout: Milliseconds | None
    delay: Milliseconds | None
    filename: str | None
    inline: bool | None
    async_: bool | None
    storage: bool | UserStorage | None
    webhook: str | None
    project_id: str | None
    generate_preview: bool | Preview | None
    image_type: ImageType | None
    quality: int | None
    transparent: bool | None
    trim: bool | None
