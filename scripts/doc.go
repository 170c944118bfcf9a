// Package scripts holds the scripts' tests.
package scripts
