"""Old import names, kept so that plugins and scripts written for them go on working."""
