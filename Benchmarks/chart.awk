# A bar for each line "label<TAB>number", on a scale of powers of ten, as SVG.
BEGIN { FS = "\t"; left = 260; width = 460; row = 26; top = 40 }
{ label[NR] = $1; value[NR] = $2 }
END {
  height = top + NR * row + 20
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"", left + width + 120, height
  print " font-family=\"sans-serif\" font-size=\"13\" role=\"img\">"
  print "<title>Payments a second, durable; each step is ten times the one before</title>"
  print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
  for (power = 3; power <= 7; power++) {
    x = left + (power - 3) / 4 * width
    printf "<path d=\"M%d %d V%d\" stroke=\"#ddd\"/>", x, top - 6, height - 14
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"#555\">%s</text>\n", x, top - 14,
      substr("1,000     10,000    100,000   1,000,00010,000,000", (power - 3) * 10 + 1, 10)
  }
  for (i = 1; i <= NR; i++) {
    y = top + (i - 1) * row
    bar = (log(value[i]) / log(10) - 3) / 4 * width
    colour = label[i] ~ /^this/ ? "#1f77b4" : "#b0b0b0"
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left - 8, y + 16, label[i]
    printf "<rect x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"18\" fill=\"%s\"/>", left, y + 3, bar, colour
    printf "<text x=\"%.0f\" y=\"%d\">%d</text>\n", left + bar + 6, y + 16, value[i]
  }
  print "</svg>"
}
