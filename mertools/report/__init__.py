"""Result files -> tables, figures and pages."""
