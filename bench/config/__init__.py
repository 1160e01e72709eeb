"""Configs as trees and as dataclasses: read, checked against types and line numbers, overridden, digested, described."""
