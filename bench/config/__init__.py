"""Configs as trees and as dataclasses: read, checked by type and line, overridden, digested, described."""
