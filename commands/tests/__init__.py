"""Tests of what every command does alike."""
