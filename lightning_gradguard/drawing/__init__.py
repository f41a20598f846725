# SPDX-License-Identifier: Apache-2.0
"""Findings in, text out: one module for each form, none of which knows the report.

Everything here is drawing. A `Diagnostic` knows neither width nor colour, and nothing in this
package looks at the terminal, the clock or the environment, so that the same findings give the same
text on every machine and every rank.
"""
